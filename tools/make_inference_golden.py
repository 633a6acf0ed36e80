"""Golden vectors for regressions and tests, made by statsmodels and SciPy.

    python3 tools/make_inference_golden.py tests/data/golden/stat

Writes C initialisers, one file per test.  What is checked, and by whom:
    regress.inc   statsmodels OLS and WLS, cov_type "cluster"; prompt effects
                  as one dummy variable per prompt; Longley's data, solved in
                  rational numbers
    logit.inc     statsmodels GLM, Binomial, cov_type "cluster"; with a ridge
                  Newton in NumPy, confirmed by scipy.optimize.minimize
    lcwin.inc     statsmodels GLM on tanh(dL / sd) and difficulty
    calibrate.inc statsmodels GLM through the origin; the table, the error of
                  calibration and its null by NumPy
    distribution.inc
                  scipy.stats; tails of t and the binomial by mpmath
    hypothesis.inc
                  scipy.stats; exact Wilcoxon by writing down all signs;
                  statsmodels multipletests and ttost_paired
    power.inc     statsmodels samplesize_proportions_2indep_onetail; power of
                  the sign test by scipy.stats.binom
"""

import fractions
import itertools
import os
import sys

import mpmath
import numpy
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, special, stats
from statsmodels.stats import multitest, proportion, weightstats

out = None


def start(name):
    """Direct what follows into DIR/name."""
    global out
    out = open(os.path.join(sys.argv[1], name), "w")
    print("/* Made by tools/make_inference_golden.py with statsmodels "
          f"{statsmodels.__version__},\n * SciPy {scipy.__version__} and NumPy "
          f"{numpy.__version__}. */", file=out)


def array(name, values, kind="double"):
    number = (lambda v: repr(float(v))) if kind == "double" else \
        (lambda v: str(int(v)))
    text = ", ".join(number(v) for v in numpy.ravel(values))
    text = text.replace("inf", "(double)INFINITY")
    lines, line = [], "   "
    for word in text.split(" "):
        if len(line) + 1 + len(word) > 77:
            lines.append(line)
            line = "   "
        line += " " + word
    lines.append(line)
    print(f"static const {kind} {name}[] = {{", file=out)
    print("\n".join(lines) + "};", file=out)


def clusters(rng, prompts, most):
    """Prompt of each row: 2 to `most` rows a prompt, in mixed order."""
    rows = rng.integers(2, most + 1, prompts)
    return rng.permutation(numpy.repeat(numpy.arange(prompts), rows))


def fit(name, model, prompt, order):
    """Coefficients and CR1 errors, reordered, then R^2."""
    result = model.fit(cov_type="cluster", cov_kwds={"groups": prompt})
    array(name, numpy.concatenate([result.params[order], result.bse[order],
                                   [result.rsquared]]))
    return result


def regress():
    start("regress.inc")
    rng = numpy.random.default_rng(20250301)
    prompt = clusters(rng, 24, 7)
    n = len(prompt)
    effect = rng.normal(0, 2, 24)[prompt]
    length = numpy.round(180 + 25 * effect + rng.normal(0, 60, n))
    lists = rng.integers(0, 2, n).astype(float)
    hedge = numpy.round(rng.gamma(2, 1.5, n), 2)
    x = numpy.column_stack([length, lists, hedge])
    y = numpy.round(effect + .01 * length - .3 * lists + rng.normal(0, 1, n)
                    * (1 + lists), 4)
    weight = numpy.round(rng.uniform(.2, 3, n), 3)
    array("golden_prompt", prompt, "size_t")
    array("golden_x", x)
    array("golden_y", y)
    array("golden_weight", weight)
    last = [1, 2, 3, 0]  # the constant last
    with_constant = sm.add_constant(x)
    plain = fit("golden_ols", sm.OLS(y, with_constant), prompt, last)
    array("golden_residual", plain.resid)
    fit("golden_wls", sm.WLS(y, with_constant, weights=weight), prompt, last)

    # Prompt effects.  The dummies make K = 3 + 24 of statsmodels' correction
    # (N - 1) / (N - K); we count one constant instead of 24.
    dummies = (prompt[:, None] == numpy.arange(24)).astype(float)
    result = sm.WLS(y, numpy.column_stack([x, dummies]), weights=weight).fit(
        cov_type="cluster", cov_kwds={"groups": prompt})
    rescale = numpy.sqrt((n - 27) / (n - 4))
    total = sum(numpy.sum(
        weight[prompt == g] * (y[prompt == g] - numpy.average(
            y[prompt == g], weights=weight[prompt == g])) ** 2)
        for g in range(24))
    within = 1 - numpy.sum(weight * result.resid ** 2) / total
    array("golden_within", numpy.concatenate(
        [result.params[:3], result.bse[:3] * rescale, [within]]))
    array("golden_within_residual", result.resid)

    # Longley (1967): six columns, condition number 5e9, in exact arithmetic.
    data = sm.datasets.longley.load_pandas()
    array("longley_x", data.exog.values)
    array("longley_y", data.endog.values)
    rows = [[fractions.Fraction(str(v)) for v in row] + [fractions.Fraction(1)]
            for row in data.exog.values]
    target = [fractions.Fraction(str(v)) for v in data.endog.values]
    array("longley_coefficient", solve(rows, target))


def solve(rows, target):
    """Least squares by Gauss-Jordan on rational normal equations."""
    k = len(rows[0])
    a = [[sum(r[i] * r[j] for r in rows) for j in range(k)]
         + [sum(r[i] * t for r, t in zip(rows, target))] for i in range(k)]
    for i in range(k):
        pivot = a[i][i]
        a[i] = [v / pivot for v in a[i]]
        for j in range(k):
            if j != i:
                factor = a[j][i]
                a[j] = [v - factor * w for v, w in zip(a[j], a[i])]
    return [float(a[i][k]) for i in range(k)]




def logit():
    start("logit.inc")
    rng = numpy.random.default_rng(20250302)
    prompt = clusters(rng, 60, 4)
    n = len(prompt)
    taste = rng.normal(0, .7, 60)[prompt]
    length = numpy.round(rng.normal(60, 120, n))
    lists = rng.integers(0, 2, n).astype(float)
    x = numpy.column_stack([length, lists])
    p = 1 / (1 + numpy.exp(-(taste + .006 * length - .5 * lists)))
    hard = (rng.uniform(size=n) < p).astype(float)
    soft = numpy.where(rng.uniform(size=n) < .2, .5,
                       numpy.round(numpy.clip(p + rng.normal(0, .3, n), 0, 1),
                                   3))
    weight = numpy.round(rng.uniform(.2, 3, n), 3)
    offset = numpy.round(rng.normal(0, .5, n), 3)
    array("golden_prompt", prompt, "size_t")
    array("golden_x", x)
    array("golden_hard", hard)
    array("golden_soft", soft)
    array("golden_weight", weight)
    array("golden_offset", offset)
    constant = numpy.column_stack([x, numpy.ones(n)])

    def glm(name, y, columns, **more):
        model = sm.GLM(y, columns, family=sm.families.Binomial(), **more)
        plain = model.fit(tol=1e-15, maxiter=100)
        result = model.fit(tol=1e-15, maxiter=100, cov_type="cluster",
                           cov_kwds={"groups": prompt})
        w = more.get("var_weights", numpy.ones(n))
        likelihood = numpy.sum(w * (special.xlogy(y, plain.mu)
                                    + special.xlog1py(1 - y, -plain.mu)))
        array(name, numpy.concatenate([result.params, result.bse,
                                       [likelihood]]))
        return plain

    fitted = glm("golden_plain", hard, constant)
    array("golden_fitted", fitted.mu)
    glm("golden_full", soft, constant, var_weights=weight, offset=offset)
    glm("golden_origin", soft, x)

    def penalised(ridge):
        scale = numpy.sqrt(numpy.average((x - numpy.average(
            x, axis=0, weights=weight)) ** 2, axis=0, weights=weight))

        def slope(b):
            mu = special.expit(constant @ b + offset)
            return constant.T @ (weight * (soft - mu)) - ridge * numpy.append(
                scale ** 2 * b[:2], 0)

        def curve(b):
            mu = special.expit(constant @ b + offset)
            return -(constant.T * (weight * mu * (1 - mu))) @ constant \
                - ridge * numpy.diag(numpy.append(scale ** 2, 0))

        b = numpy.zeros(3)
        for _ in range(50):
            b = b - numpy.linalg.solve(curve(b), slope(b))
        check = optimize.minimize(
            lambda b: -numpy.sum(weight * (
                soft * special.log_expit(constant @ b + offset)
                + (1 - soft) * special.log_expit(-constant @ b - offset)))
            + ridge / 2 * numpy.sum((scale * b[:2]) ** 2), b * .9,
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 10000})
        assert numpy.allclose(check.x, b, rtol=1e-5), (check.x, b)
        return b

    array("golden_ridge", penalised(5.0))


def lcwin():
    start("lcwin.inc")
    rng = numpy.random.default_rng(20250303)
    prompt = clusters(rng, 80, 3)
    n = len(prompt)
    difficulty = numpy.round(rng.normal(0, 1, 80), 3)[prompt]
    length = numpy.round(rng.normal(150, 300, n))
    sd = numpy.std(length, ddof=1)
    p = special.expit(.3 + .9 * numpy.tanh(length / sd) - .6 * difficulty)
    win = numpy.where(rng.uniform(size=n) < .15, .5, rng.uniform(size=n) < p)
    array("golden_prompt", prompt, "size_t")
    array("golden_win", win)
    array("golden_length", length)
    array("golden_difficulty", difficulty)

    def weights(columns):
        return sm.GLM(win, columns, family=sm.families.Binomial()).fit(
            tol=1e-15, maxiter=100).params

    ones = numpy.ones(n)
    b = weights(numpy.column_stack([ones, numpy.tanh(length / sd),
                                    difficulty]))
    rate = special.expit(b[0] + b[2] * difficulty)
    array("golden_full", [sd, *b, win.mean(), stats.sem(win), rate.mean(),
                          stats.sem(rate)])
    array("golden_short", weights(numpy.column_stack(
        [ones, numpy.tanh(length / sd)])))


def distribution():
    start("distribution.inc")
    z = [-9, -1.96, -.1, 0, .5, 1.2815515655446004, 3, 8, 30]
    array("golden_z", z)
    array("golden_normal_tail", stats.norm.sf(z))
    p = [1e-12, 1e-3, .025, .3, .5, .8, .975, 1 - 1e-6]
    array("golden_p", p)
    array("golden_normal_quantile", stats.norm.ppf(p))
    cases = [(t, d) for d in (.5, 1, 2, 3.7, 10, 29, 199, 1e4, 1e6)
             for t in (-2.5, 0, .01, .3, 1, 1.7, 2.5, 6, 40)]
    array("golden_t", [t for t, d in cases])
    array("golden_degrees", [d for t, d in cases])
    array("golden_t_tail", [t_tail(t, d) for t, d in cases])
    array("golden_t_quantile", [stats.t.ppf(q, 7.5) for q in p])
    cases = [(0, 5, .3), (3, 5, .3), (5, 5, .3), (1, 1, .5), (12, 20, .5),
             (8, 20, .5), (114, 200, .5), (4, 200, .001), (600, 1000, .5),
             (500, 1000, .6), (500500, 1000000, .5), (3, 1000000, 1e-6),
             (25, 26, .99)]
    array("golden_k", [k for k, n, p in cases], "size_t")
    array("golden_n", [n for k, n, p in cases], "size_t")
    array("golden_success", [p for k, n, p in cases])
    array("golden_binomial_tail", [binomial_tail(*c) for c in cases])


def t_tail(t, degrees):
    """P(T > t) to forty digits."""
    with mpmath.workdps(40):
        t, d = mpmath.mpf(t), mpmath.mpf(degrees)
        half = mpmath.betainc(d / 2, .5, 0, d / (d + t * t),
                              regularized=True) / 2
        return float(half if t >= 0 else 1 - half)


def binomial_tail(k, n, p):
    """P(X >= k), from the smaller side, to forty digits."""
    with mpmath.workdps(40):
        p = mpmath.mpf(p)

        def from_(k, p):
            term = mpmath.binomial(n, k) * p ** k * (1 - p) ** (n - k)
            total = mpmath.mpf(0)
            while k <= n and term > total * mpmath.mpf(10) ** -30:
                total += term
                term *= mpmath.mpf(n - k) / (k + 1) * p / (1 - p)
                k += 1
            return total

        return float(from_(k, p) if k >= n * p else
                     1 - from_(n - k + 1, 1 - p))


def exact_wilcoxon(x):
    """W+ and its two-sided p by writing down all signs."""
    x = x[x != 0]
    rank = stats.rankdata(abs(x))
    plus = rank[x > 0].sum()
    sums = numpy.array([numpy.dot(rank, s) for s in
                        itertools.product((0, 1), repeat=len(x))])
    mean = rank.sum() / 2
    return [plus, numpy.mean(abs(sums - mean) >= abs(plus - mean))]


def hypothesis():
    start("hypothesis.inc")
    rng = numpy.random.default_rng(20250304)
    few = numpy.round(rng.normal(.4, 1, 14), 4)
    tied = numpy.round(rng.normal(.5, 1.2, 13), 0)
    many = numpy.round(rng.normal(.2, 1, 80), 1)
    for name, x in (("few", few), ("tied", tied), ("many", many)):
        array(f"golden_{name}", x)
        t = stats.ttest_1samp(x, 0)
        interval = t.confidence_interval(.9)
        array(f"golden_{name}_t", [x.mean(), stats.sem(x), t.statistic,
                                   t.pvalue, interval.low, interval.high])
        above, below = (x > 0).sum(), (x < 0).sum()
        array(f"golden_{name}_sign", [above, below, stats.binomtest(
            above, above + below).pvalue])
        # SciPy's z is that of the smaller rank sum, ours that of W+.
        x = x[x != 0]
        normal = stats.wilcoxon(x, method="approx", correction=False)
        plus = stats.rankdata(abs(x))[x > 0].sum()
        z = abs(normal.zstatistic)
        if plus < len(x) * (len(x) + 1) / 4:
            z = -z
        plus, p = exact_wilcoxon(x) if len(x) <= 25 else (plus, normal.pvalue)
        array(f"golden_{name}_wilcoxon", [plus, p, z])
    assert numpy.allclose(exact_wilcoxon(few)[1],
                          stats.wilcoxon(few, method="exact").pvalue)

    p, low, high = weightstats.ttost_paired(many, numpy.zeros(80), -.1, .5)
    array("golden_tost", [p, low[1], high[1]])
    p = numpy.array([.01, .04, .03, .005, .2, .0004, .9, .04])
    array("golden_family", p)
    array("golden_holm", multitest.multipletests(p, method="holm")[1])
    array("golden_bh", multitest.multipletests(p, method="fdr_bh")[1])


def power():
    start("power.inc")
    cases = [(.5, .6), (.55, .5), (.1, .2), (.72, .41), (.02, .03)]
    array("golden_a", [a for a, b in cases])
    array("golden_b", [b for a, b in cases])
    array("golden_groups", [numpy.ceil(
        proportion.samplesize_proportions_2indep_onetail(
            a - b, b, .8, alpha=.05, alternative="two-sided"))
        for a, b in cases], "size_t")
    cases = [(783, .55), (194, .6), (85, .65), (47, .7), (10, .9), (5, .9)]
    array("golden_pairs", [n for n, rate in cases], "size_t")
    array("golden_rate", [rate for n, rate in cases])
    powers = []
    for n, rate in cases:
        k = next(k for k in range(n // 2, n + 2)
                 if 2 * stats.binom.sf(k - 1, n, .5) < .05)
        powers.append(stats.binom.sf(k - 1, n, rate)
                      + stats.binom.cdf(n - k, n, rate))
    array("golden_power", powers)


def calibrate():
    start("calibrate.inc")
    rng = numpy.random.default_rng(20250305)
    prompt = clusters(rng, 70, 4)
    n = len(prompt)
    delta = numpy.round(rng.normal(.4, 1.5, n), 4)
    length = numpy.round(rng.normal(60, 80, n) + 20 * delta)
    p = special.expit(.7 * delta - .004 * length)
    win = numpy.where(rng.uniform(size=n) < .1, .5, rng.uniform(size=n) < p)
    array("golden_prompt", prompt, "size_t")
    array("golden_delta", delta)
    array("golden_length", length)
    array("golden_win", win)
    model = sm.GLM(win, delta[:, None], family=sm.families.Binomial())
    result = model.fit(tol=1e-15, maxiter=100, cov_type="cluster",
                       cov_kwds={"groups": prompt})
    array("golden_slope", [result.params[0], result.bse[0]])

    a = .9
    predicted = special.expit(a * delta)
    order = numpy.argsort(delta)
    bins = [order[n * b // 10:n * (b + 1) // 10] for b in range(10)]
    array("golden_bin_n", [len(b) for b in bins], "size_t")
    array("golden_bin_predicted", [predicted[b].mean() for b in bins])
    array("golden_bin_observed", [win[b].mean() for b in bins])

    def ece(away):
        return sum(abs(away[..., b].sum(axis=-1)) for b in bins) / n

    found = ece(win - predicted)
    signs = rng.integers(0, 2, (100000, 70)) * 2 - 1
    null = ece((win - predicted) * signs[:, prompt])
    array("golden_ece", [found, null.mean(), numpy.quantile(null, .95),
                         numpy.mean(null >= found), null.std()])
    cut = numpy.quantile(length, [1 / 3, 2 / 3])
    third = (length > cut[0]) * 1 + (length > cut[1])
    away = predicted - win
    array("golden_gap", [away.mean(), predicted.mean(), win.mean(),
                         *[away[third == k].mean() for k in range(3)], *cut])


regress()
logit()
lcwin()
calibrate()
distribution()
hypothesis()
power()
