/* dataset_prompt.c - records that ask the same. */
#include "base/mem.h"
#include "base/names.h"
#include "io/dataset.h"

enum status dataset_number_prompts(size_t *number, size_t *count,
                                   const struct dataset *d, size_t from,
                                   size_t to, struct err *err)
{
    struct names names = {.text = NULL};
    enum status status = OK;
    for (size_t i = from; i < to && status == OK; i++)
        status = names_add(&names, &number[i - from], d->record[i].prompt, err);
    if (status == OK)
        *count = names.n;
    names_free(&names);
    return status;
}

enum status dataset_gather(struct dataset *d, struct err *err)
{
    enum status status = OK;
    size_t *number = NULL, *start = NULL;
    struct record *sorted = NULL;
    size_t count = 0;
    TRY_DONE(MEM_NEW(number, d->n, err));
    TRY_DONE(dataset_number_prompts(number, &count, d, 0, d->n, err));
    TRY_DONE(MEM_NEW(start, count + 1, err));
    TRY_DONE(MEM_NEW(sorted, d->n, err));
    for (size_t i = 0; i < d->n; i++)
        start[number[i] + 1]++;
    for (size_t k = 0; k < count; k++)
        start[k + 1] += start[k];
    for (size_t i = 0; i < d->n; i++)
        sorted[start[number[i]]++] = d->record[i];
    for (size_t i = 0; i < d->n; i++)
        d->record[i] = sorted[i];
done:
    mem_free(sorted);
    mem_free(start);
    mem_free(number);
    return status;
}
