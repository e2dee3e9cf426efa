import logging

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fdsl.datasets.subsets import stratified_folds
from fdsl.schema.probe import Probe
from fdsl.train import linear_probe
from fdsl.train.linear_probe import Standard

HOW = {"folds": 4, "tolerance": 1e-6, "max_iterations": 200, "seed": 3}
PENALTIES = (0.001, 0.1, 10.0)


def fit(features, labels, *, seed, **settings):
    settings = Probe(precision="fp32", k=1, temperature=1, **settings)
    return linear_probe.fit(features, labels, settings=settings, seed=seed)


def blobs(n, *, classes=3, dim=6, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = np.random.default_rng(99).normal(size=(classes, dim))
    scale, shift = np.logspace(-3, 3, dim), np.arange(dim)
    values = (centres[labels] + noise * rng.normal(size=(n, dim))) * scale + shift
    return values.astype(np.float32), labels


def test_it_is_scikit_learns_pipeline_with_the_penalty_of_a_plain_cross_validation():
    features, labels = blobs(90)
    test, _ = blobs(200, seed=1)
    fold = stratified_folds(labels, folds=4, seed=3)
    correct = []
    for penalty in PENALTIES:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=penalty, tol=1e-8, max_iter=9999)
        )
        said = np.empty(90, dtype=int)
        for number in range(4):
            model.fit(features[fold != number].astype(float), labels[fold != number])
            said[fold == number] = model.predict(features[fold == number].astype(float))
        correct.append(int((said == labels).sum()))
    assert len(set(correct)) > 1
    best = PENALTIES[int(np.argmax(correct))]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=best, tol=1e-8, max_iter=9999))
    model.fit(features.astype(float), labels)

    probe = fit(features, labels, inverse_penalties=PENALTIES, **HOW)
    assert (probe.inverse_penalty, probe.correct, probe.folds) == (best, max(correct), 4)
    assert probe.finished
    assert np.array_equal(probe.predict(test), model.predict(test.astype(float)))
    assert np.allclose(probe.regression.coef_, model[-1].coef_, atol=1e-3)


def test_equally_good_candidates_give_the_strongest_penalty():
    features, labels = blobs(40, noise=0.01)
    probe = fit(features, labels, inverse_penalties=(0.1, 1.0, 10.0), **HOW)
    assert probe.correct == 40
    assert probe.inverse_penalty == 0.1


def test_the_same_seed_gives_the_same_bits_and_another_one_other_folds():
    features, labels = blobs(60)
    runs = [
        fit(features, labels, inverse_penalties=PENALTIES, **HOW | {"seed": seed})
        for seed in (3, 3, *range(4, 12))
    ]
    assert np.array_equal(runs[0].regression.coef_, runs[1].regression.coef_)
    assert runs[0].correct == runs[1].correct
    assert len({run.correct for run in runs}) > 1


def test_two_classes_and_names_with_gaps_are_fine():
    features, labels = blobs(40, classes=2, noise=0.1)
    probe = fit(features, labels * 7, inverse_penalties=(1.0,), **HOW)
    assert np.array_equal(probe.predict(features), labels * 7)


def test_a_constant_feature_decides_nothing_even_where_test_images_differ():
    features, labels = blobs(60)
    constant = np.full((60, 1), 0.1, dtype=np.float32)
    probe = fit(np.hstack([features, constant]), labels, inverse_penalties=(1.0,), **HOW)
    test, _ = blobs(50, seed=1)
    plain = fit(features, labels, inverse_penalties=(1.0,), **HOW).predict(test)
    assert np.array_equal(probe.predict(np.hstack([test, np.full((50, 1), 9.0)])), plain)


def test_statistics_are_those_of_the_given_images():
    features, _ = blobs(30)
    standard = Standard.of(features)
    values = standard(features)
    assert np.allclose(values.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(values.std(axis=0), 1)


def test_a_class_smaller_than_the_folds_lowers_their_number():
    features, labels = blobs(31)
    labels = np.where(np.arange(31) < 2, 3, labels)
    probe = fit(features, labels, inverse_penalties=PENALTIES, **HOW)
    assert probe.folds == 2


def test_one_class_and_a_class_of_one_image_are_refused():
    features, labels = blobs(30)
    with pytest.raises(ValueError, match="hold 1 class"):
        fit(features, labels * 0, inverse_penalties=PENALTIES, **HOW)
    with pytest.raises(ValueError, match="class 9 has one training image"):
        fit(features, np.where(np.arange(30) == 4, 9, labels), inverse_penalties=PENALTIES, **HOW)


def test_an_unfinished_fit_is_said(caplog):
    features, labels = blobs(60)
    few = HOW | {"max_iterations": 1}
    probe = fit(features, labels, inverse_penalties=(1.0,), **few)
    assert not probe.finished
    assert "linear probe, C = 1" in caplog.text


def test_the_end_of_the_candidates_is_said(caplog):
    features, labels = blobs(60)
    with caplog.at_level(logging.WARNING):
        probe = fit(features, labels, inverse_penalties=(1e-9, 100.0), **HOW)
    assert probe.inverse_penalty == 1e-9
    assert "C = 1e-09 is best at the end of [1e-09, 100.0]" in caplog.text


def test_candidates_that_are_all_as_good_have_no_better_end(caplog):
    features, labels = blobs(60, noise=0.01)
    fit(features, labels, inverse_penalties=(1.0, 10.0), **HOW)
    assert "best at the end" not in caplog.text
