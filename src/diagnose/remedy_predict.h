/*
 * remedy_predict.h - a change's effects with intervals that are honest about
 * the way of predicting, not only about the prompts.
 *
 * Each way of predicting is wrong by itself: a re-run has another seed, a path
 * is not a frontier, a first order is not the whole.  By how much is one
 * deviation a way and measure, in units in which runs compare:
 *
 *     rm      share of the score gained by the run
 *     human   share of pairs
 *     length  log of the ratio
 *     kl      log of the KL after the change
 *     cost    log of the ratio
 *
 * and the interval is estimate +- sqrt(bootstrap^2 + (1.645 deviation)^2), each
 * side by itself, in that unit.  The values stand in remedy_predict.c.
 *
 * Parameters between.  At t of the way from the reference to the policy the
 * score is taken for a parabola through both ends.  Training has come to rest
 * where the next step would gain in score what it costs in KL, which is t^2
 * times the policy's K, so its slope at t = 1 is 2 beta K and
 *
 *     R(t) - R(1) = -(1 - t)^2 gain - t (1 - t) 2 beta K
 *
 * and a straight line where 2 beta K exceeds the gain.
 *
 * People.  Of a change of the price, remedy_path.h.  Where length is taken off
 * the reward, half way from nothing to the length-controlled win rate less the
 * plain one (row win_equal).  Where judges rank anew, half way between that and
 * what the reward model now promises of itself (G's prediction): a model of the
 * judges' own choices that is right as often as this one is about its raters
 * would be right about its promise.  The way between the two is part of the
 * interval.
 */
#ifndef PLUMB_DIAGNOSE_REMEDY_PREDICT_H
#define PLUMB_DIAGNOSE_REMEDY_PREDICT_H

#include "diagnose/remedy_path.h"
#include "diagnose/remedy_response.h"
#include "diagnose/remedy_table.h"

/* What predictions are made from; made once. */
struct remedy_sources {
    const struct evidence *e;
    const struct rows *rows;
    struct remedy_path path;
    struct remedy_response response;
    struct remedy_wanted wanted;
    struct bootstrap plan; // at REMEDY_LEVEL
    double gain;           // score of policy less reference, NaN: not known
};

/* ERR_MEMORY is the only failure; close also after one. */
enum status remedy_predict_open(struct remedy_sources *out,
                                const struct evidence *e,
                                const struct rows *rows,
                                struct err *err) MUST_CHECK;
void remedy_predict_close(struct remedy_sources *s);

/* Fills r->effect[].predicted and r->missing; `value` is the change's number,
 * NaN without one. */
enum status remedy_predict_effects(struct remedy *r,
                                   const struct remedy_row *row, double value,
                                   const struct remedy_sources *s,
                                   struct err *err) MUST_CHECK;

/* The deviation of a way of predicting, as above. */
double remedy_predict_deviation(enum remedy_model model, enum remedy_measure m);

#endif
