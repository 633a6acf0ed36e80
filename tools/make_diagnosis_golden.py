"""Golden vectors for the diagnosis' statistics in tests/stat.

    pip install numpy scipy krippendorff statsmodels
    python3 tools/make_diagnosis_golden.py tests/data/golden/stat [SHARED]

Writes C initialisers, one file per test.  What is checked, and by whom:
    Krippendorff's alpha   the package `krippendorff`
    Cohen, Fleiss          statsmodels.stats.inter_rater
    Oaxaca and Blinder     numpy.linalg.lstsq with a dummy for every prompt and
                           model, anew for every order of adding features; for
                           a single prompt statsmodels' OaxacaBlinder
    bins of length         loops over a table, as the formulas read
    kurtosis               scipy.stats.kurtosis(fisher=False)
    Hill's index, Gini, shares of the largest  the formulas on NumPy arrays
    entropy of weights     scipy.special.softmax, scipy.stats.entropy
    tilted lengths         scipy.optimize.minimize_scalar of the supremum
    Bradley-Terry          evalica's published golden values of its data sets
                           `simple` and `food` (Apache-2.0), read from SHARED,
                           a folder with evalica_*.csv; without it
                           bradley_terry.inc is left as it is
"""

import csv
import itertools
import os
import sys
from importlib.metadata import version

import krippendorff
import numpy
import scipy
import statsmodels
from scipy import optimize, special, stats
from statsmodels.stats import inter_rater
from statsmodels.stats.oaxaca import OaxacaBlinder

out = None


def start(name, seed, *packages):
    """Direct what follows into DIR/name, with random numbers of its own."""
    global out
    out = open(os.path.join(sys.argv[1], name), "w")
    made = ", ".join(f"{p.__name__} {version(p.__name__)}" for p in packages)
    print(f"/* Made by tools/make_diagnosis_golden.py with {made}. */",
          file=out)
    return numpy.random.default_rng(seed)


def literal(v):
    return "NAN" if v != v else repr(float(v))


def array(name, values, kind="double"):
    form = literal if kind == "double" else lambda v: str(int(v))
    text = ", ".join(form(v) for v in numpy.ravel(values))
    lines, line = [], "   "
    for word in text.split(" "):
        if len(line) + 1 + len(word) > 77:
            lines.append(line)
            line = "   "
        line += " " + word
    lines.append(line)
    print(f"static const {kind} {name}[] = {{", file=out)
    print("\n".join(lines) + "};", file=out)


def alphas(codes):
    return [krippendorff.alpha(codes, level_of_measurement=level)
            for level in ("nominal", "ordinal", "interval", "ratio")]


def agreement():
    rng = start("agreement.inc", 1, krippendorff, statsmodels)
    # Five raters, forty replies, grades 0 to 5 with a common part and gaps.
    truth = rng.normal(2.5, 1.2, 40)
    codes = numpy.clip(numpy.round(truth + rng.normal(0, 0.9, (5, 40))), 0, 5)
    codes[rng.random((5, 40)) < 0.25] = numpy.nan
    codes[1:, 7] = numpy.nan  # one code: not comparable
    codes[:, 8] = numpy.nan
    array("golden_codes", codes)
    array("golden_alpha", alphas(codes))
    # Not integers, so that order and distance differ.
    array("golden_real_codes", numpy.round(numpy.exp(codes / 2), 3))
    array("golden_real_alpha", alphas(numpy.round(numpy.exp(codes / 2), 3)))
    full = numpy.clip(
        numpy.round(truth + rng.normal(0, 0.9, (4, 40))), 0, 5)
    table, _ = inter_rater.aggregate_raters(full.T)
    array("golden_full_codes", full)
    array("golden_fleiss", [inter_rater.fleiss_kappa(table, "fleiss")])
    both = inter_rater.to_table(full[:2].T.astype(int), bins=6)[0]
    array("golden_cohen", [inter_rater.cohens_kappa(both).kappa])


def slopes(prompt, policy, x, y):
    """Within prompt and model."""
    cell = prompt * 2 + policy
    dummies = (cell[:, None] == numpy.unique(cell)[None, :]).astype(float)
    design = numpy.hstack([x, dummies])
    return numpy.linalg.lstsq(design, y, rcond=None)[0][:x.shape[1]]


def prompt_gap(prompt, policy, z):
    """Mean over prompts of mean of the policy less mean of the reference."""
    return numpy.mean([z[(prompt == p) & policy].mean(axis=0)
                       - z[(prompt == p) & ~policy].mean(axis=0)
                       for p in numpy.unique(prompt)], axis=0)


def oaxaca(prompt, policy, x, y):
    """Per set of slopes: explained, then each feature's Shapley value."""
    gap = prompt_gap(prompt, policy, x)
    result = []
    for rows in (~policy, policy, numpy.ones_like(policy)):
        def explained(features):
            features = list(features)
            if not features:
                return 0.0
            b = slopes(prompt[rows], policy[rows], x[rows][:, features],
                       y[rows])
            return gap[features] @ b
        shapley = numpy.zeros(x.shape[1])
        orders = list(itertools.permutations(range(x.shape[1])))
        for order in orders:
            for k, f in enumerate(order):
                shapley[f] += (explained(order[:k + 1])
                               - explained(order[:k])) / len(orders)
        result += [explained(range(x.shape[1])), *shapley]
    return result


def bins(policy, length, y, width):
    """overlap, nrg, nie, nde, covered."""
    b = numpy.floor(length / width)
    n = {g: {k: numpy.sum((b == k) & (policy == g)) for k in set(b)}
         for g in (False, True)}
    mean = {g: {k: y[(b == k) & (policy == g)].mean()
                for k in set(b) if n[g][k] > 0} for g in (False, True)}
    total = {g: sum(n[g].values()) for g in (False, True)}
    share = {g: {k: n[g][k] / total[g] for k in n[g]} for g in n}
    overlap = sum(min(share[True][k], share[False][k]) for k in set(b))
    both = [k for k in set(b) if n[True][k] and n[False][k]]
    nrg = (sum((n[True][k] + n[False][k]) * (mean[True][k] - mean[False][k])
               for k in both) / sum(n[True][k] + n[False][k] for k in both))

    def reference(k):
        near = min(mean[False], key=lambda other: (abs(other - k), other))
        return mean[False][near]

    nie = sum(reference(k) * (share[True][k] - share[False][k])
              for k in set(b))
    gain = y[policy].mean() - y[~policy].mean()
    return [gain, overlap, nrg, nie, gain - nie,
            sum(share[True][k] for k in mean[False])]


def decompose():
    rng = start("decompose.inc", 3, numpy, statsmodels)
    prompt = numpy.repeat(numpy.arange(30), 7)
    policy = numpy.tile(numpy.array([0, 0, 0, 1, 1, 1, 1], bool), 30)
    base = rng.normal(0, 1, 30)[prompt]
    length = numpy.round(numpy.exp(rng.normal(4 + .4 * policy, .4)))
    listed = rng.poisson(.5 + .02 * length)
    hedge = rng.poisson(.4 + .5 * policy)
    x = numpy.stack([length, listed, hedge], axis=1).astype(float)
    y = (base + (.01 + .004 * policy) * length + .15 * listed - .2 * hedge
         + .3 * policy + rng.normal(0, .4, len(prompt)))
    array("golden_prompt", prompt, "size_t")
    array("golden_policy", policy, "bool")
    array("golden_x", x)
    array("golden_score", y)
    array("golden_bins", bins(policy, length, y, 20))
    array("golden_gain", [prompt_gap(prompt, policy, y)])
    array("golden_oaxaca", oaxaca(prompt, policy, x, y))
    one = numpy.zeros_like(prompt)
    array("golden_single", oaxaca(one, policy, x, y))
    # Its groups are ordered by size of the outcome: group 1 is the policy.
    model = OaxacaBlinder(y, numpy.column_stack([x, policy]), 3,
                          hasconst=False, swap=True)
    explained = []
    for weight in (0, 1):
        fit = model.two_fold(two_fold_type="self_submitted",
                             submitted_weight=weight)
        explained.append(fit.params[1])
    explained.append(model.two_fold(two_fold_type="pooled").params[1])
    array("golden_statsmodels", explained)


def tails():
    rng = start("tail.inc", 4, numpy, scipy)
    x = numpy.round(rng.standard_t(4, 600), 4)
    y = numpy.sort(x - numpy.median(x))[::-1]
    k = len(x) // 50
    array("golden_tail", x)
    array("golden_hill", [numpy.mean(numpy.log(y[:k] / y[k]))])
    array("golden_kurtosis", [stats.kurtosis(x, fisher=False)])

    kl = numpy.round(numpy.abs(x[:207]), 2)  # with ties
    kl = numpy.sort(kl)
    n = len(kl)
    rank = numpy.arange(1, n + 1)
    array("golden_kl", rng.permutation(kl))
    array("golden_gini",
          [numpy.sum((2 * rank - n - 1) * kl) / (n * kl.sum())])
    top = []
    for part in (.05, .2):
        whole = int(part * n)
        rest = part * n - whole
        top.append((kl[n - whole:].sum() + rest * kl[n - whole - 1])
                   / kl.sum())
    array("golden_top", top)


def prices():
    rng = start("klprice.inc", 5, numpy, scipy)
    score = rng.normal(0, 1, (6, 16))
    beta = .4
    weight = special.softmax(score / beta, axis=1)
    array("golden_score", score)
    array("golden_sampled", [
        numpy.mean(numpy.log(16) - stats.entropy(weight, axis=1)),
        numpy.mean((weight * score).sum(axis=1) - score.mean(axis=1)),
        numpy.mean(1 / (weight ** 2).sum(axis=1) / 16),
        numpy.sqrt(numpy.var(score, axis=1, ddof=1).mean())])

    length = rng.geometric(1 / 40, (5, 12)).astype(float)
    target = length.mean(axis=1) * [1.2, 1.5, .7, 1, 1.3]
    cost = []
    for row, m in zip(length, target):
        r = optimize.minimize_scalar(
            lambda s: special.logsumexp(s * row) - numpy.log(12) - s * m,
            bracket=(-.01, .01), tol=1e-12)
        cost.append(-r.fun)
    array("golden_length", length)
    array("golden_target", target)
    array("golden_tilt", cost)


def bradley_terry(shared):
    """Wins, and the published strengths, which sum to 1."""
    start("bradley_terry.inc", 2)
    for name in ("simple", "food"):
        with open(os.path.join(shared, f"evalica_{name}.csv")) as file:
            rows = list(csv.DictReader(file))
        with open(os.path.join(shared, f"evalica_{name}-golden.csv")) as file:
            golden = {r["item"]: float(r["score"])
                      for r in csv.DictReader(file)
                      if r["algorithm"] == "bradley_terry"}
        items = sorted(golden)
        wins = numpy.zeros((len(items), len(items)))
        for row in rows:
            i, j = items.index(row["left"]), items.index(row["right"])
            part = {"left": 1, "right": 0, "tie": .5}[row["winner"]]
            wins[i, j] += part
            wins[j, i] += 1 - part
        array(f"golden_{name}_wins", wins)
        array(f"golden_{name}_strength", [golden[i] for i in items])


agreement()
decompose()
tails()
prices()
if len(sys.argv) > 2:
    bradley_terry(sys.argv[2])
