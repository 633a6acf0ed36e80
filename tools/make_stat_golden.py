"""Golden vectors for tests/stat, made by NumPy and SciPy.

    python3 tools/make_stat_golden.py tests/data/golden/stat

Writes C initialisers, one file per test.  What is checked, and by whom:
    quantiles         numpy.quantile (its default is Hyndman and Fan's type 7)
    percentile interval of a mean and of a ratio of means
                      scipy.stats.bootstrap with 200,000 resamples
    Theil-Sen         scipy.stats.theilslopes
    Mann-Kendall      scipy.stats.kendalltau: tau-b, and its asymptotic p, from
                      which z without continuity correction is recovered and
                      then corrected by (|S| - 1) / |S|
    Bradley-Terry     scipy.optimize.root of the derivative of its likelihood
"""

import os
import sys

import numpy
import scipy
from scipy import optimize, stats

rng = numpy.random.default_rng(20240229)
out = None


def start(name):
    """Direct what follows into DIR/name."""
    global out
    out = open(os.path.join(sys.argv[1], name), "w")
    print("/* Made by tools/make_stat_golden.py with NumPy "
          f"{numpy.__version__} and\n * SciPy {scipy.__version__}. */",
          file=out)


def array(name, values):
    text = ", ".join(repr(float(v)) for v in numpy.ravel(values))
    lines, line = [], "   "
    for word in text.split(" "):
        if len(line) + 1 + len(word) > 77:
            lines.append(line)
            line = "   "
        line += " " + word
    lines.append(line)
    print(f"static const double {name}[] = {{", file=out)
    print("\n".join(lines) + "};", file=out)


def bootstrap(name, data, statistic):
    result = stats.bootstrap(
        data, statistic, paired=True, vectorized=False, method="percentile",
        n_resamples=200000, random_state=numpy.random.default_rng(1))
    interval = result.confidence_interval
    array(name, [statistic(*data), interval.low, interval.high,
                 result.standard_error])


def mann_kendall(t, y):
    m = len(y)
    s = sum(numpy.sign(y[j] - y[i]) for i in range(m) for j in range(i + 1, m))
    result = stats.kendalltau(t, y, method="asymptotic")
    z = stats.norm.isf(result.pvalue / 2) * numpy.sign(s)
    z *= (abs(s) - 1) / abs(s)
    return s, result.statistic, z, 2 * stats.norm.sf(abs(z))


def trend(name, t, y):
    slope, intercept, low, high = stats.theilslopes(y, t)
    array(name + "_t", t)
    array(name + "_y", y)
    array(name, [slope, intercept, *mann_kendall(t, y), low, high])


def bradley_terry(wins):
    n = len(wins)
    pairs = wins + wins.T

    def score(free):
        s = numpy.concatenate([[0.0], free])
        p = 1 / (1 + numpy.exp(s[None, :] - s[:, None]))
        return (wins.sum(axis=1) - (pairs * p).sum(axis=1))[1:]

    result = optimize.root(score, numpy.zeros(n - 1), tol=1e-14)
    return numpy.concatenate([[0.0], result.x])


start("summary.inc")
x = numpy.round(rng.gamma(2.0, 10.0, 41), 3)
y = numpy.round(x * 0.6 + rng.normal(0, 4, 41) + 8, 3)
q = [0, 0.025, 0.1, 1 / 3, 0.5, 0.77, 0.975, 1]
array("golden_x", x)
array("golden_y", y)
array("golden_q", q)
array("golden_quantile", numpy.quantile(x, q))
array("golden_sd", [numpy.std(x, ddof=1)])
bootstrap("golden_mean", (x,), lambda a: numpy.mean(a))
bootstrap("golden_ratio", (x, y), lambda a, b: numpy.sum(a) / numpy.sum(b))

start("trend.inc")
t = numpy.array([0.0, 5, 10, 20, 30, 40, 50, 59])
trend("golden_rise", t,
      numpy.round(6 * (1 - numpy.exp(-t / 18)) + rng.normal(0, .4, 8), 3))
trend("golden_tied", numpy.arange(7.0), numpy.array([1, 2, 2, 2, 1, 3, 3.0]))

start("winrate.inc")
wins = numpy.array([[0, 12.5, 7, 3], [18.5, 0, 9, 6.5],
                    [13, 11, 0, 8], [9, 4.5, 12, 0]])
array("golden_wins", wins)
array("golden_strength", bradley_terry(wins))
