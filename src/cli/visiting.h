/*
 * visiting.h - plumb world judge --as rater:KIND: a simulated person who takes
 * the way that people take, over HTTP.
 */
#ifndef PLUMB_CLI_VISITING_H
#define PLUMB_CLI_VISITING_H

#include "cli/options.h"

/*
 * Sign in by the link in the file --link, judge what the server hands out until
 * nothing is left (or --votes are cast), and tell how many votes that were.
 * Tickets come from --data.
 */
enum status visiting_judge(const struct options *o, struct err *err) MUST_CHECK;

#endif
