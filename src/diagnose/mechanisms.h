/*
 * mechanisms.h - why: three statements about each of the reward, the
 * optimiser and the penalty.
 *
 *     a1  the ranking-trained reward model is biased to length
 *     a2  the bias is exploited
 *     a3  over-optimised: people's judgement falls while the score rises
 *     b1  the advantage-weighted gradient pushes towards length
 *     b2  the clip bounds the step, not the drift
 *     b3  going on receives credit, stopping does not
 *     c1  the penalty charges the drift only weakly
 *     c2  the price is too low: drifting is still profitable
 *     c3  the penalty fails to prevent the drift
 *
 * Each side fills its three rows and may add leads: exploratory rows without
 * a verdict-bearing test (slopes of other features, say), marked is_lead.
 * What each row computes stands in the side's header; thresholds are those of
 * the research notes' F1 unless said otherwise.
 */
#ifndef PLUMB_DIAGNOSE_MECHANISMS_H
#define PLUMB_DIAGNOSE_MECHANISMS_H

#include "diagnose/leads.h"

enum mechanism {
    MECHANISM_BIASED,        // a1
    MECHANISM_EXPLOITED,     // a2
    MECHANISM_OVEROPTIMISED, // a3
    MECHANISM_PUSHES,        // b1
    MECHANISM_CLIP,          // b2
    MECHANISM_CREDIT,        // b3
    MECHANISM_WEAK,          // c1
    MECHANISM_CHEAP,         // c2
    MECHANISM_FAILS,         // c3
    MECHANISMS
};

#endif
