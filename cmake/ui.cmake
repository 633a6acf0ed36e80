# cmake -DDIST=src/serve/ui/dist -DTO=ui_files.c -P ui.cmake: the pages as C
# arrays, and for each page of the manifest PAGE a function ui_PAGE() that
# gives its table of files (serve/ui.h).
cmake_minimum_required(VERSION 3.25)
file(READ ${DIST}/manifest.json manifest)
string(JSON n_pages LENGTH "${manifest}")
math(EXPR last_page "${n_pages} - 1")
set(arrays "")
set(tables "")
set(seen "")
foreach(p RANGE ${last_page})
  string(JSON page MEMBER "${manifest}" ${p})
  string(JSON n_files LENGTH "${manifest}" ${page})
  math(EXPR last_file "${n_files} - 1")
  string(APPEND tables "static const struct http_file ${page}_files[] = {\n")
  foreach(i RANGE ${last_file})
    foreach(field path file type sha256)
      string(JSON ${field} GET "${manifest}" ${page} ${i} ${field})
    endforeach()
    file(SHA256 ${DIST}/${file} found)
    if(NOT found STREQUAL sha256)
      message(FATAL_ERROR "${DIST}/${file} is not what manifest.json says: "
                          "run tools/ui.sh build")
    endif()
    string(MAKE_C_IDENTIFIER ${file} name)
    if(NOT name IN_LIST seen)
      list(APPEND seen ${name})
      file(READ ${DIST}/${file} hex HEX)
      string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
      string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
             "\\1\n" bytes "${bytes}")
      string(APPEND arrays
             "static const unsigned char ${name}[] = {\n${bytes}\n};\n")
    endif()
    string(APPEND tables "    {\"${path}\", \"${type}\", ${name}, sizeof ${name}},\n")
  endforeach()
  string(APPEND tables "};\n\nvoid ui_${page}(const struct http_file **file, size_t *n)\n{\n"
         "    *file = ${page}_files;\n"
         "    *n = sizeof ${page}_files / sizeof *${page}_files;\n}\n\n")
endforeach()
file(WRITE ${TO} "#include \"serve/ui.h\"\n\n${arrays}\n${tables}")
