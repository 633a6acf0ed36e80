#include "stat/design.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

/* R's lm takes a column for collinear below this share of its length. */
static const double collinear_below = 1e-7;

static double weight_of(const struct design_data *data, size_t i)
{
    return data->weight != NULL ? data->weight[i] : 1;
}

static bool is_usable(const struct design_data *data, size_t i)
{
    double w = weight_of(data, i);
    assert(!(w < 0));
    bool usable = w > 0 && isfinite(w) && isfinite(data->y[i]);
    if (data->offset != NULL)
        usable = usable && isfinite(data->offset[i]);
    for (size_t j = 0; usable && j < data->p; j++)
        usable = isfinite(data->x[i * data->p + j]);
    return usable;
}

/* Order the usable rows by prompt: count, then place; next [n_prompts] is
 * scratch. */
static void order_rows(struct design *d, size_t *next)
{
    const struct design_data *data = d->data;
    for (size_t i = 0; i < data->n; i++) {
        assert(data->prompt[i] < data->n_prompts);
        d->first[data->prompt[i] + 1] += is_usable(data, i);
    }
    for (size_t g = 0; g < data->n_prompts; g++) {
        size_t rows = d->first[g + 1];
        if (d->centre == DESIGN_PROMPTS && rows < 2)
            rows = 0;
        d->prompts += rows > 0;
        next[g] = d->first[g];
        d->first[g + 1] = d->first[g] + rows;
    }
    d->n = d->first[data->n_prompts];
    for (size_t i = 0; i < data->n; i++) {
        size_t g = data->prompt[i];
        if (is_usable(data, i) && next[g] < d->first[g + 1])
            d->row[next[g]++] = i;
    }
}

/* sum w y / sum w over rows [begin, end), and the mean of what is left: the
 * second pass takes back the rounding of the first, so that a column that does
 * not vary becomes exactly that. */
static double mean_of(const struct design *d, const double *y, size_t stride,
                      size_t begin, size_t end)
{
    double total = 0, sum = 0, left = 0;
    for (size_t i = begin; i < end; i++) {
        total += d->weight[i];
        sum += d->weight[i] * y[d->row[i] * stride];
    }
    double mean = sum / total;
    for (size_t i = begin; i < end; i++)
        left += d->weight[i] * (y[d->row[i] * stride] - mean);
    return mean + left / total;
}

/* out[i * out_stride] = y at row i less its mean; returns the mean taken off,
 * NaN when there were several. */
static double centre_column(const struct design *d, double *out,
                            size_t out_stride, const double *y, size_t stride)
{
    bool apart = d->centre == DESIGN_PROMPTS;
    size_t groups = apart ? d->data->n_prompts : 1;
    double mean = 0;
    for (size_t g = 0; g < groups; g++) {
        size_t begin = apart ? d->first[g] : 0;
        size_t end = apart ? d->first[g + 1] : d->n;
        if (d->centre != DESIGN_ORIGIN && end > begin)
            mean = mean_of(d, y, stride, begin, end);
        for (size_t i = begin; i < end; i++)
            out[i * out_stride] = y[d->row[i] * stride] - mean;
    }
    return apart ? (double)NAN : mean;
}

void design_centre_column(const struct design *d, double *out, const double *y)
{
    (void)centre_column(d, out, 1, y, 1);
}

/* Turn a row into the triangle: Givens rotations make its entries zero. */
static void rotate_in(double r[][DESIGN_COLUMNS], double *row, size_t k)
{
    for (size_t j = 0; j < k; j++) {
        if (row[j] == 0)
            continue;
        double length = hypot(r[j][j], row[j]);
        double c = r[j][j] / length;
        double s = row[j] / length;
        for (size_t l = j; l < k; l++) {
            double upper = r[j][l];
            r[j][l] = c * upper + s * row[l];
            row[l] = c * row[l] - s * upper;
        }
    }
}

/* Take column `at` out of a triangle of k columns. */
static void drop_column(double r[][DESIGN_COLUMNS], size_t k, size_t at)
{
    double old[DESIGN_COLUMNS][DESIGN_COLUMNS];
    memcpy(old, r, sizeof old);
    memset(r, 0, sizeof old);
    for (size_t i = 0; i < k; i++) {
        double row[DESIGN_COLUMNS] = {0};
        for (size_t j = 0; j + 1 < k; j++)
            row[j] = old[i][j < at ? j : j + 1];
        rotate_in(r, row, k - 1);
    }
}

/* The triangle of the centred, scaled columns in v [n,p]; kept [p] are the
 * columns that have a place in it.  Returns their number. */
static size_t triangle(struct design *d, double r[][DESIGN_COLUMNS],
                       size_t *kept, const double *v)
{
    size_t p = d->data->p;
    size_t k = 0;
    for (size_t j = 0; j < p; j++)
        if (d->scale[j] > 0)
            kept[k++] = j;
    for (size_t i = 0; i < d->n; i++) {
        double row[DESIGN_COLUMNS] = {0};
        double root = sqrt(d->weight[i] / d->total);
        for (size_t a = 0; a < k; a++)
            row[a] = root * v[i * p + kept[a]] / d->scale[kept[a]];
        rotate_in(r, row, k);
    }
    for (size_t a = 0; a < k;) {
        if (r[a][a] > collinear_below) {
            a++;
            continue;
        }
        drop_column(r, k, a);
        for (size_t b = a; b + 1 < k; b++)
            kept[b] = kept[b + 1];
        k--;
    }
    return k;
}

/* Root mean square of a centred column; 0 when what is left of it is the
 * rounding of subtracting its mean. */
static double scale_of(const struct design *d, const double *v, size_t j)
{
    size_t p = d->data->p;
    double sum = 0;
    double largest = 0;
    for (size_t i = 0; i < d->n; i++) {
        double c = v[i * p + j];
        sum += d->weight[i] * c * c;
        largest = fmax(largest, fabs(d->data->x[d->row[i] * p + j]));
    }
    double scale = sqrt(sum / d->total);
    return scale > 1e-13 * largest ? scale : 0;
}

/* Columns left out of kept [k]. */
static void name_collinear(struct design *d, const size_t *kept, size_t k)
{
    size_t a = 0;
    for (size_t j = 0; j < d->data->p; j++) {
        if (a < k && kept[a] == j)
            a++;
        else
            d->collinear.column[d->collinear.n++] = j;
    }
}

/* z[i] = R'^-1 of the scaled row, behind a 1 for the constant. */
static void fill_z(struct design *d, double r[][DESIGN_COLUMNS],
                   const size_t *kept, size_t k, const double *v)
{
    size_t p = d->data->p;
    size_t shift = d->centre == DESIGN_CONSTANT;
    for (size_t i = 0; i < d->n; i++) {
        double *z = d->z + i * d->k;
        if (shift > 0)
            z[0] = 1;
        for (size_t a = 0; a < k; a++) {
            double sum = v[i * p + kept[a]] / d->scale[kept[a]];
            for (size_t b = 0; b < a; b++)
                sum -= r[b][a] * z[shift + b];
            z[shift + a] = sum / r[a][a];
        }
    }
}

/* back: R^-1 by substitution, then the scale; the constant takes the means. */
static void fill_back(struct design *d, double r[][DESIGN_COLUMNS],
                      const size_t *kept, size_t k, const double *mean)
{
    size_t p = d->data->p;
    size_t shift = d->centre == DESIGN_CONSTANT;
    double *constant = d->back[p];
    for (size_t c = 0; c <= p; c++)
        for (size_t a = 0; a < d->k; a++)
            d->back[c][a] = (double)NAN;
    for (size_t a = 0; a < k; a++)
        for (size_t c = 0; c < d->k; c++)
            d->back[kept[a]][c] = 0;
    for (size_t c = 0; c < k; c++) {
        for (size_t a = c + 1; a-- > 0;) {
            double sum = a == c;
            for (size_t b = a + 1; b <= c; b++)
                sum -=
                    r[a][b] * d->back[kept[b]][shift + c] * d->scale[kept[b]];
            d->back[kept[a]][shift + c] = sum / r[a][a] / d->scale[kept[a]];
        }
    }
    if (shift == 0)
        return;
    constant[0] = 1;
    for (size_t c = 1; c < d->k; c++) {
        constant[c] = 0;
        for (size_t a = 0; a < k; a++)
            constant[c] -= mean[kept[a]] * d->back[kept[a]][c];
    }
}

/* Centre, scale, rotate; v [n,p] is scratch. */
static enum status rotate(struct design *d, double *v, struct err *err)
{
    size_t p = d->data->p;
    double r[DESIGN_COLUMNS][DESIGN_COLUMNS] = {{0}};
    double mean[DESIGN_COLUMNS] = {0};
    size_t kept[DESIGN_COLUMNS] = {0};
    for (size_t j = 0; j < p; j++) {
        mean[j] = centre_column(d, v + j, p, d->data->x + j, p);
        d->scale[j] = scale_of(d, v, j);
    }
    size_t k = triangle(d, r, kept, v);
    name_collinear(d, kept, k);
    d->k = k + (d->centre == DESIGN_CONSTANT);
    size_t cells;
    TRY(mem_multiply(&cells, d->n, d->k, err));
    TRY(MEM_NEW(d->z, cells, err));
    fill_z(d, r, kept, k, v);
    fill_back(d, r, kept, k, mean);
    return OK;
}

enum status design_init(struct design *out, const struct design_data *data,
                        enum design_centre centre, struct err *err)
{
    assert(data->p <= DESIGN_COLUMNS);
    enum status status = OK;
    struct design d = {.data = data, .centre = centre};
    double *v = NULL;
    size_t *next = NULL;
    size_t cells;
    TRY_DONE(MEM_NEW(next, data->n_prompts, err));
    TRY_DONE(MEM_NEW(d.first, data->n_prompts + 1, err));
    TRY_DONE(MEM_NEW(d.row, data->n, err));
    order_rows(&d, next);
    TRY_DONE(MEM_NEW(d.weight, d.n, err));
    for (size_t i = 0; i < d.n; i++) {
        d.weight[i] = weight_of(data, d.row[i]);
        d.total += d.weight[i];
    }
    TRY_DONE(mem_multiply(&cells, d.n, data->p, err));
    TRY_DONE(MEM_NEW(v, cells, err));
    TRY_DONE(rotate(&d, v, err));
    *out = d;
    d = (struct design){0};
done:
    mem_free(v);
    mem_free(next);
    design_free(&d);
    return status;
}

void design_free(struct design *d)
{
    mem_free(d->z);
    mem_free(d->weight);
    mem_free(d->row);
    mem_free(d->first);
    *d = (struct design){0};
}

void design_coefficients(const struct design *d, double *coefficient,
                         const double *gamma)
{
    for (size_t c = 0; c <= d->data->p; c++) {
        double sum = d->k > 0 ? 0 : (double)NAN;
        for (size_t a = 0; a < d->k; a++)
            sum += d->back[c][a] * gamma[a];
        coefficient[c] = sum;
    }
}

void design_errors(const struct design *d, double *se, const double *covariance)
{
    for (size_t c = 0; c <= d->data->p; c++) {
        double sum = d->k > 0 ? 0 : (double)NAN;
        for (size_t a = 0; a < d->k; a++)
            for (size_t b = 0; b < d->k; b++)
                sum += d->back[c][a] * covariance[a * d->k + b] * d->back[c][b];
        se[c] = sqrt(sum < 0 ? 0 : sum);
    }
}

double design_cluster_factor(const struct design *d)
{
    double g = (double)d->prompts;
    double n = (double)d->n;
    double k = (double)(d->k + (d->centre == DESIGN_PROMPTS));
    if (!(g >= 2 && n > k))
        return (double)NAN;
    return g / (g - 1) * (n - 1) / (n - k);
}

void design_count(const struct design *d, double *times, const size_t *index,
                  size_t n)
{
    memset(times, 0, d->data->n_prompts * sizeof *times);
    for (size_t i = 0; i < n; i++)
        times[index[i]] += 1;
}

void design_words(struct buf *out, const struct design_data *data,
                  const struct design_collinear *collinear)
{
    for (size_t c = 0; c < collinear->n; c++) {
        size_t j = collinear->column[c];
        buf_puts(out, c > 0 ? ", " : "");
        if (data->name != NULL)
            buf_puts(out, data->name[j]);
        else
            buf_printf(out, "column %zu", j + 1);
    }
    if (collinear->n > 0)
        buf_puts(out, ": collinear with the columns before");
}
