"""Golden vectors for regressions and tests, made by statsmodels and SciPy.

    python3 tools/make_inference_golden.py tests/data/golden/stat

Writes C initialisers, one file per test.  What is checked, and by whom:
    regress.inc   statsmodels OLS and WLS, cov_type "cluster"; prompt effects
                  as one dummy variable per prompt; Longley's data, solved in
                  rational numbers
    logit.inc     statsmodels GLM, Binomial, cov_type "cluster"; with a ridge
                  Newton in NumPy, confirmed by scipy.optimize.minimize
    lcwin.inc     statsmodels GLM on tanh(dL / sd) and difficulty
"""

import fractions
import os
import sys

import numpy
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, special, stats

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


regress()
logit()
lcwin()
