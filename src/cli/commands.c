#include "cli/command.h"

#include <string.h>

const struct command command_table[] = {
    {"demo", FOR_DEMO, "", 0, 0,
     "the whole loop on the built-in support desk, with its report",
     "Runs every stage through the same code as the single commands: "
     "tickets, demonstrations, sft, candidate replies, rankings, reward, ppo, "
     "held-out evaluation, report, probes.  Any key of any stage can be given "
     "with "
     "--set or -c.",
     "plumb demo --scenario healthy --out plumb-demo", cmd_demo},
    {"world", FOR_WORLD, "tokenizer|tickets|demos|rank|judge", 1, 1,
     "the support desk: prompts, demonstrations, rankings, judgements",
     "tokenizer writes the desk's vocabulary, tickets writes prompts, demos "
     "writes demonstrations, rank orders candidate replies as a population of "
     "raters does, judge gives replies their worth by the gold rubric or "
     "plays people who spot-check blind pairs.  The data are JSON Lines, so "
     "that any step can be replaced by real data.",
     "plumb world demos --demos 12000 --out demos.jsonl", cmd_world},
    {"sft", FOR_SFT, "", 0, 0, "supervised fine-tuning on demonstrations",
     "Trains a new model, or goes on from one, on the replies of a file of "
     "demonstrations.  Leaves a run directory whose checkpoints are Hugging "
     "Face folders.",
     "plumb sft --data demos.jsonl --tokenizer desk --out sft", cmd_sft},
    {"reward", FOR_REWARD, "", 0, 0, "a reward model from rankings",
     "Trains a reward model on ranked candidate replies, ties allowed; all "
     "pairs of a prompt are one element of a batch.  eval/heldout.json of the "
     "run tells how it orders the pairs that were held out, beside the rule "
     "that the longer reply is better.",
     "plumb reward --model sft --data rankings.jsonl --out reward", cmd_reward},
    {"ppo", FOR_PPO, "", 0, 0,
     "policy optimisation with a KL penalty to the frozen reference",
     "Maximises the reward model's score with proximal policy optimisation.  "
     "metrics.jsonl and the TensorBoard event file carry the exact KL beside "
     "its estimates, rollouts/ every token of every reply.",
     "plumb ppo --model sft --reward-model reward --prompts prompts.jsonl "
     "--out ppo",
     cmd_ppo},
    {"eval", FOR_EVAL, "RUN", 1, 1,
     "compare a policy with its reference on held-out prompts",
     "Samples replies from policy and reference to prompts never trained on "
     "and compares score, gold, length, repetition and KL, each with a "
     "bootstrap interval over prompts.  Where nobody and no rubric judges, "
     "--gold-model names a second reward model as weak gold.",
     "plumb eval plumb-demo --json", cmd_eval},
    {"probe", FOR_PROBE, "RUN", 1, 1,
     "ask the models of a run what its files do not say",
     "Puts questions to policy, reference and reward model that only they can "
     "answer and writes what they say to probes/ of the project, where a "
     "diagnosis reads it.  Needs an evaluation (plumb eval).  edits: scores of "
     "replies that were lengthened, shortened or adorned and say the same.  "
     "pairs: scores of the replies that people ranked.  prefixes: what policy "
     "and reference expect at the same states.  reference: whether the "
     "reference is over-fitted.  push: several replies of every checkpoint to "
     "the same prompts.  gradient: what each part of the objective wanted of "
     "the policy.  A probe whose file is there for the "
     "same models and settings is passed over; one that lacks something is "
     "skipped, and said to be.",
     "plumb probe plumb-demo", cmd_probe},
    {"diagnose", FOR_DIAGNOSE, "RUN|FILE...", 1, OPTION_OPERANDS,
     "say why the reward went up while the answers got worse, or that it "
     "did not",
     "Reads what the stages, the evaluation, people and plumb probe left in "
     "the project, never a model, and writes diagnosis.json and report.html: "
     "gates that the numbers must pass, what happened, why (reward model, "
     "optimiser, KL penalty), the rival explanations by rank, and two changes "
     "with what they should do.  Every row is supported, not supported or not "
     "measurable, with its interval; the last says what is missing.  What is "
     "not there is named with the command that makes it.  The report opens "
     "with all of it as an essay, which --essay writes as Markdown.  With "
     "--out the document goes there and the project is left alone.",
     "plumb diagnose plumb-demo --fail-on bug", cmd_diagnose},
    {"whatif", FOR_WHATIF, "RUN", 1, 1,
     "train again with one change and compare, prompt by prompt",
     "Each --change is an arm of its own: the recorded stages run again with "
     "that change and the same seed, what it does not touch is kept.  Arms are "
     "evaluated on the prompts and random streams of plumb eval and compared "
     "with the unchanged run, paired by prompt and sample: "
     "whatif/result.json.  With --seeds 3 every arm, the unchanged one too, is "
     "trained with three seeds, and an effect beyond their spread is said to "
     "be caused by the change.  Complete arms are passed over, stopped ones "
     "gone on with.  --change list shows the named changes.",
     "plumb whatif plumb-demo --change beta=0.2 --change relabel", cmd_whatif},
    {"label", FOR_LABEL,
     "[load|choose|invite|revoke|judges|progress|standing|audit|export|restore]"
     " "
     "PROJECT.db [FILE...]",
     1, OPTION_OPERANDS,
     "people rank replies and spot-check the policy, in a browser",
     "Serves the page on which people judge what PROJECT.db asks them, until "
     "it is interrupted, and prints its address and a link that makes the "
     "first browser the administrator.  load puts prompts with replies into a "
     "pool, from files or drawn from --policy, choose asks first what a reward "
     "model would learn most from, invite prints a link for a judge, revoke "
     "ends one, judges and progress list who is there and how far it is, "
     "standing tells what the votes say so far and how many more would decide "
     "it, export writes them in the form of another tool and restore reads our "
     "own again, audit verifies that nothing was changed afterwards and prints "
     "the hash to note down.  Votes are on the disk before they are "
     "acknowledged.",
     "plumb label project.db --port 7586", cmd_label},
    {"watch", FOR_WATCH, "RUN|DIR", 1, 1,
     "see runs while they train: curves, replies, tokens and alarms",
     "Serves a page on this machine that follows a run, the stages of a "
     "project, or all runs in a directory, and prints its address; --tty draws "
     "on the terminal, --json prints what there is now.  Trainers do not know "
     "that they are watched: files are read and never locked.  Among the "
     "alarms is the paradox alarm: the reward rises, more KL was spent than "
     "the reward model has earned, and neither people nor gold say that "
     "replies got better.  One click, or --queue, puts a blind spot-check of "
     "that policy into the project's human/judgements.db; only what people say "
     "there closes the alarm.",
     "plumb watch plumb-demo", cmd_watch},
    {"generate", FOR_GENERATE, "", 0, 0, "sample replies from a model",
     "Answers one prompt, or writes candidate sets for a file of prompts.  "
     "logp is the log-probability of each token of the response.",
     "plumb generate -m plumb-demo/ppo --prompt \"where is order #Q4?\"",
     cmd_generate},
    {"score", FOR_SCORE, "", 0, 0, "what a reward model says of responses",
     "Reads records with a response or several and prints a table; with "
     "--json, or to the file of --out, one JSON object a record: its id and "
     "its score, a list where it has several responses.",
     "plumb score -m plumb-demo/reward --data plumb-demo/rankings.jsonl --json",
     cmd_score},
    {"tokenize", FOR_TOKENIZE, "", 0, 0,
     "text to token ids and back, line by line",
     "Reads standard input and writes the ids of each line, separated by "
     "blanks; with --json one JSON array a line.  With --decode it reads ids "
     "(blanks, commas and brackets between them) and writes text; with --json "
     "one JSON string a line, since a text may hold line breaks.  --raw takes "
     "all of standard input as one text, and leaves no line break behind a "
     "decoded one.  No token is added at the start or the end.",
     "plumb tokenize -m plumb-demo/ppo --json <questions.txt", cmd_tokenize},
    {"export", FOR_EXPORT, "MODEL", 1, 1, "a model for other programs",
     "Writes a Hugging Face folder, or with --gguf one file with tokenizer "
     "and chat template, as llama.cpp reads it.  An adapter is folded into "
     "its base with --merge.  A reward model can only be a folder: llama.cpp "
     "knows no score head.",
     "plumb export plumb-demo/ppo --type bf16 --out policy", cmd_export},
    {"inspect", FOR_INSPECT, "MODEL|RUN|FILE", 1, 1,
     "what a model, a run or a data file holds",
     "Shows shape and parameters of a model folder or an adapter, settings, "
     "progress and "
     "checkpoints of a run, the tensors of a safetensors file, the metadata "
     "and tensors of a GGUF file, the fields of a JSON Lines file (plain, gzip "
     "or zstd).  "
     "With --logits: what a model expects after a prompt.",
     "plumb inspect plumb-demo/ppo", cmd_inspect},
    {"import", FOR_IMPORT, "FILE|FORMAT [FILE...]", 1, OPTION_OPERANDS,
     "other formats to records of ours, other trainers' runs to projects",
     "Reads prompts, demonstrations and preferences in the formats of TRL, "
     "OpenRLHF, UltraFeedback and Anthropic, or a table whose columns are "
     "named, plain or compressed, and writes them as JSON Lines that every "
     "stage takes.  With the same --shuffle-seed, --skip and --take cut "
     "disjoint parts.  With the name of a FORMAT before the files (verl, trl, "
     "openrlhf, ..., auto) it reads what a run of that trainer left - "
     "rollouts, "
     "logs, event files, folders of them - and makes the project --out, which "
     "plumb diagnose reads as any other.  import.json in it says field by "
     "field what was understood, what is missing, and with which flag of that "
     "trainer it would be there.  --sniff tells what a file is.",
     "plumb import verl rollouts/ metrics.jsonl --out run", cmd_import},
    {"lint", FOR_LINT, "CONFIG...", 1, OPTION_OPERANDS,
     "warn of settings of other trainers whose penalty cannot work",
     "Reads configurations of TRL, OpenRLHF and verl (JSON, YAML, a command "
     "line or the script it stands in, Hydra overrides; - for standard input) "
     "and says before any run which settings cannot do what they are for: an "
     "estimator of the KL whose gradient is none where it stands, a "
     "coefficient that nothing reads, a controller too slow for the planned "
     "steps, normalisers that change the price of a nat, an EOS that is never "
     "learned.  Each finding has its evidence and the one-line fix in that "
     "trainer's own flag.  What is not set has the default of the version "
     "that is named.  Exit status 3 means that one is an error.  With --json "
     "one object a file.",
     "plumb lint run_ppo.sh", cmd_lint},
    {"help", FOR_PLAIN, "[COMMAND]", 0, 1, "what the commands do",
     "Without a command: the list of commands.  With --json: every option "
     "of every command.",
     "plumb help ppo", cmd_help},
    {"man", FOR_PLAIN, "[COMMAND]", 0, 1, "print a manual page (mdoc)",
     "The pages that installation puts where man(1) finds them.",
     "plumb man ppo | mandoc -l", cmd_man},
    {"completion", FOR_PLAIN, "bash|zsh|fish", 1, 1,
     "print completion for a shell",
     "A script that completes commands, flags, choices, keys and files, made "
     "from the tables that everything else is made from.  Installation puts it "
     "where the shells find it; without one, a line in the shell's start file "
     "reads it.",
     "source <(plumb completion bash)", cmd_completion},
    {"version", FOR_PLAIN, "", 0, 0, "print the version",
     "With --json also the compiler.", "plumb version", cmd_version},
};

const size_t command_count = sizeof command_table / sizeof command_table[0];

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_table[i].name, name) == 0)
            return &command_table[i];
    }
    return NULL;
}

/* The name nearest to what was typed, or NULL. */
static const char *nearest(const char *name)
{
    const char *best = NULL;
    size_t least = 3;
    for (size_t i = 0; i < command_count; i++) {
        size_t d = options_distance(name, command_table[i].name);
        if (d < least) {
            least = d;
            best = command_table[i].name;
        }
    }
    return best;
}

enum status command_need(const struct command **out, const char *name,
                         struct err *err)
{
    *out = command_find(name);
    if (*out)
        return OK;
    const char *near = *name ? nearest(name) : NULL;
    if (near)
        return err_set(err, ERR_ARG,
                       "unknown command '%.40s'; did you mean '%s'?", name,
                       near);
    return *name ? err_set(err, ERR_ARG, "unknown command '%.40s'", name)
                 : err_set(err, ERR_ARG, "a command is wanted");
}
