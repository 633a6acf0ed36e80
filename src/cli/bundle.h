/*
 * bundle.h - named bundles of settings that lie between the defaults and what
 * the user sets: other trainers' conventions (ppo.preset), the demo's
 * scenarios (demo.scenario) and its quick form (demo.quick).
 */
#ifndef PLUMB_CLI_BUNDLE_H
#define PLUMB_CLI_BUNDLE_H

#include "cli/options.h"

/* Is this the key of a setting that chooses a bundle? */
bool bundle_is_chooser(const char *key);

/* Lay the chosen bundles over the defaults: ppo.preset's, then the
 * scenario's, then the quick form's. */
enum status bundle_apply(struct options *o, struct err *err) MUST_CHECK;

#endif
