/* The penalty as textbooks print it, and why it must not be typed in. */
#include <string.h>

#include "report/essay_internal.h"

#define STAT(ref, form) essay_stat(y, ref, form).text

/* How the run's penalty gets into the gradient. */
static const char *way(const char *mode)
{
    static const struct {
        const char *mode, *way;
    } ways[] = {
        {"k1_reward", "into the reward, where the expected gradient is that "
                      "of the KL"},
        {"k2_loss", "half its square into the loss, where the expected "
                    "gradient is that of the KL"},
        {"k3_loss", "as the estimator k3 into the loss, where the expected "
                    "gradient is that of the KL in the other direction"},
    };
    for (size_t i = 0; mode != NULL && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(mode, ways[i].mode) == 0)
            return ways[i].way;
    return NULL;
}

void essay_formula(struct essay *y)
{
    const char *mode = evidence_text(y->e, "ppo", "ppo.kl_mode");
    const char *in = way(mode);
    essay_open(y, "The formula, taken literally", ESSAY_NO_FIGURE);
    essay_tell(
        y, "Course texts subtract beta times the log-ratio from PPO's clipped "
           "utility and differentiate. Typed in like that it does nothing: "
           "under \xCF\x80 itself the mean gradient of log \xCF\x80 is that of "
           "the sum of all probabilities, which is one, and the reference has "
           "no parameters. What is left is noise.");
    if (in != NULL)
        essay_say(
            y, "V7",
            "This run puts it %s; hence the fall of the KL without reward "
            "(to %s).",
            in, STAT("V7", FORM_TIMES));
    if (mode != NULL && strcmp(mode, "k1_loss") == 0)
        essay_deny(y, "V7",
                   "This run does just that, and without reward its KL stayed "
                   "at %s what it was.",
                   STAT("V7", FORM_TIMES));
    if (y->e->import != NULL) // V1 is a mean over two engines there
        return;
    essay_say(y, "V1",
              "They also write the reference below the policy in PPO's ratio, "
              "where the policy that drew the sample belongs; here the ratio "
              "before an update is one to within %s.",
              STAT("V1", FORM_PLAIN));
}
