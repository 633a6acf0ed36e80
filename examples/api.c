/*
 * api.c - draw replies, ask a reward model, diagnose the run.
 *
 *     cc api.c $(pkg-config --cflags --libs plumb) -o api
 *     ./api PROJECT "where is order #Q4?"      a project of `plumb demo`
 */
#include <plumb.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES 4
static struct plumb_error error;

static void must(int status)
{
    if (status == PLUMB_OK)
        return;
    fprintf(stderr, "%s: %s\n", plumb_status_name(status), error.text);
    exit(status);
}

int main(int argc, char **argv)
{
    struct plumb_context *context;
    struct plumb_model *policy;
    struct plumb_reward_model *judge;
    struct plumb_replies *replies;
    struct plumb_diagnosis *diagnosis;
    struct plumb_sampling how = PLUMB_SAMPLING_DEFAULT;
    const char *prompt[SAMPLES], *response[SAMPLES];
    int ended[SAMPLES];
    double score[SAMPLES];
    if (argc != 3)
        return PLUMB_USAGE;
    how.samples = SAMPLES;
    for (size_t i = 0; i < SAMPLES; i++)
        prompt[i] = argv[2];
    must(plumb_context_create(&context, 0, &error));
    must(plumb_model_load(&policy, argv[1], NULL, &error));
    must(plumb_reward_model_load(&judge, argv[1], NULL, &error));
    must(plumb_generate(context, policy, prompt, 1, &how, &replies, &error));
    for (size_t i = 0; i < SAMPLES; i++) {
        response[i] = plumb_replies_text(replies, i);
        ended[i] = plumb_replies_ended(replies, i);
    }
    must(plumb_score(context, judge, prompt, response, ended, SAMPLES, score,
                     &error));
    for (size_t i = 0; i < SAMPLES; i++)
        printf("%8.4f  %s\n", score[i], response[i]);
    must(plumb_diagnose(context, argv[1], NULL, &diagnosis, &error));
    printf("verdict: %s, first explanation: %s\n",
           plumb_verdict_name(plumb_diagnosis_verdict(diagnosis)),
           plumb_diagnosis_rival(diagnosis));
    plumb_diagnosis_free(diagnosis);
    plumb_replies_free(replies);
    plumb_reward_model_free(judge);
    plumb_model_free(policy);
    plumb_context_free(context);
    return 0;
}
