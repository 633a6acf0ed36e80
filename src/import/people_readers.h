/*
 * people_readers.h - as readers.h, for what people and judges said: a pair of
 * functions for each such row of formats.c.
 */
#ifndef PLUMB_IMPORT_PEOPLE_READERS_H
#define PLUMB_IMPORT_PEOPLE_READERS_H

#include "import/reader.h"
#include "import/sniff.h"

/* alpaca.c */
double alpaca_sniff_annotations(const struct head *h);
enum status alpaca_read_annotations(struct reader *r,
                                    struct err *err) MUST_CHECK;
double alpaca_sniff_outputs(const struct head *h);
double alpaca_sniff_farm(const struct head *h);
enum status alpaca_read_outputs(struct reader *r, struct err *err) MUST_CHECK;
double alpaca_sniff_preferences(const struct head *h);
enum status alpaca_read_preferences(struct reader *r,
                                    struct err *err) MUST_CHECK;

/* arena.c */
double arena_sniff_battles(const struct head *h);
enum status arena_read_battles(struct reader *r, struct err *err) MUST_CHECK;
double arena_sniff_judgments(const struct head *h);
enum status arena_read_judgments(struct reader *r, struct err *err) MUST_CHECK;

/* pairs.c */
double pairs_sniff_any(const struct head *h);
enum status pairs_read_any(struct reader *r, struct err *err) MUST_CHECK;
double pairs_sniff_crowd(const struct head *h);
enum status pairs_read_crowd(struct reader *r, struct err *err) MUST_CHECK;
double pairs_sniff_pandalm(const struct head *h);
enum status pairs_read_pandalm(struct reader *r, struct err *err) MUST_CHECK;

/* helpsteer.c */
double helpsteer_sniff(const struct head *h);
enum status helpsteer_read(struct reader *r, struct err *err) MUST_CHECK;

/* comparator.c */
double comparator_sniff(const struct head *h);
enum status comparator_read(struct reader *r, struct err *err) MUST_CHECK;

/* label_studio.c */
double label_studio_sniff(const struct head *h);
enum status label_studio_read(struct reader *r, struct err *err) MUST_CHECK;

/* argilla.c */
double argilla_sniff(const struct head *h);
enum status argilla_read(struct reader *r, struct err *err) MUST_CHECK;

#endif
