# cmake -DPLUMB=PROGRAM -DTO=DIR -P pages.cmake
#
# PROGRAM may be a list: an emulator, its arguments, the program.
#
# What the program says of itself, as files: man/plumb.1 and a page for every
# command that it lists, and the completion of every shell.
function(say file)
  execute_process(COMMAND ${PLUMB} ${ARGN} OUTPUT_FILE ${TO}/${file}
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# A command that is no more leaves no page behind.
file(REMOVE_RECURSE ${TO}/man ${TO}/completion)
file(MAKE_DIRECTORY ${TO}/man ${TO}/completion)
execute_process(COMMAND ${PLUMB} help --json OUTPUT_VARIABLE help
                COMMAND_ERROR_IS_FATAL ANY)
string(JSON commands GET "${help}" commands)
string(JSON count LENGTH "${commands}")
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON name GET "${commands}" ${i} name)
  say(man/plumb-${name}.1 man ${name})
endforeach()
say(man/plumb.1 man)
say(completion/plumb completion bash) # as each shell wants the file's name
say(completion/_plumb completion zsh)
say(completion/plumb.fish completion fish)
