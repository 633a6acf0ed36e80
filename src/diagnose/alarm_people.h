/*
 * alarm_people.h - what people say of a run's policies, as the paradox alarm
 * hears it (alarm.h has the rule).
 */
#ifndef PLUMB_DIAGNOSE_ALARM_PEOPLE_H
#define PLUMB_DIAGNOSE_ALARM_PEOPLE_H

#include "diagnose/alarm.h"

/* What people say, and of which policy: the newest one that anything was said
 * of; the last one that they decided on where they have not on the newest, and
 * that one is worse. */
struct alarm_say {
    int say; // better, worse: 1, -1; 0: they have not decided
    struct estimate rate;
    int64_t step;  // of the policy that it is about
    bool is_older; // than the newest one that anything was said of
    bool is_asked; // about the newest one, or one newer still
    bool is_blind; // what they say is not told
};

struct alarm_say alarm_hear(const struct evidence *e,
                            const struct alarm_votes *votes);

/* The words for it; is_damaged: what they said cannot be read. */
void alarm_tell_people(char *out, size_t room, const struct alarm_say *p,
                       bool is_damaged);

#endif
