import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from fdsl.train import knn


def blobs(n, *, classes=5, dim=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = np.random.default_rng(99).normal(size=(classes, dim))
    return (centres[labels] + rng.normal(size=(n, dim))).astype(np.float32), labels


def slow(train, labels, test, *, k, temperature):
    """One image at a time, every step as it is written in the paper."""
    said = []
    for query in test.astype(float):
        cosines = [
            float(key @ query) / (np.linalg.norm(key) * np.linalg.norm(query))
            for key in train.astype(float)
        ]
        nearest = sorted(range(len(train)), key=lambda i: (-np.float32(cosines[i]), i))[:k]
        votes = dict.fromkeys(range(labels.max() + 1), 0.0)
        for index in nearest:
            votes[int(labels[index])] += np.exp(cosines[index] / temperature)
        said.append(max(votes, key=lambda label: (votes[label], -label)))
    return np.array(said)


@pytest.mark.parametrize("k", [1, 7, 20, 60])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_it_votes_as_the_slow_way_does(k, temperature):
    train, labels = blobs(60)
    test, _ = blobs(41, seed=1)
    expected = slow(train, labels, test, k=k, temperature=temperature)
    assert np.array_equal(knn.predict(train, labels, test, k=k, temperature=temperature), expected)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (9, 1e6)])
def test_it_is_scikit_learns_where_that_is_defined(k, temperature):
    """One neighbour needs no weights, and at a high temperature all weigh the same."""
    train, labels = blobs(80)
    test, _ = blobs(300, seed=2)
    theirs = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(train, labels)
    ours = knn.predict(train, labels, test, k=k, temperature=temperature)
    shares = np.sort(theirs.predict_proba(test), axis=1)
    clear = shares[:, -1] > shares[:, -2]
    assert clear.sum() > 200
    assert np.array_equal(ours[clear], theirs.predict(test)[clear])


def test_the_nearest_weighs_more_than_many_far_ones_at_a_low_temperature():
    train = np.array([[1.0, 0.0], [0.8, 0.6], [0.8, 0.6], [0.8, 0.6]])
    labels = np.array([0, 1, 1, 1])
    query = np.array([[1.0, 0.0]])
    assert knn.predict(train, labels, query, k=4, temperature=0.07) == 0
    assert knn.predict(train, labels, query, k=4, temperature=1.0) == 1


def test_a_tiny_temperature_is_the_nearest_neighbour_and_not_a_sum_of_zeros():
    train = np.array([[1.0, 0.0], [0.0, 1.0]])
    query = np.array([[-0.9, -0.1]])
    assert knn.predict(train, np.array([0, 3]), query, k=2, temperature=1e-4) == 3


def test_length_does_not_matter():
    train, labels = blobs(50)
    test, _ = blobs(30, seed=1)
    lengths = np.random.default_rng(0).uniform(0.1, 10, (50, 1))
    expected = knn.predict(train, labels, test, k=5, temperature=0.07)
    scaled = knn.predict(train * lengths, labels, test * 100, k=5, temperature=0.07)
    assert np.array_equal(scaled, expected)


def test_ties_go_to_lower_indices_and_lower_classes():
    train = np.tile([[0.3, 0.7, 0.1]], (6, 1))
    query = np.array([[0.2, 0.5, 0.9]])
    assert knn.predict(train, np.array([4, 4, 2, 2, 2, 2]), query, k=3, temperature=0.07) == 4
    assert knn.predict(train, np.array([4, 4, 2, 2, 2, 2]), query, k=4, temperature=0.07) == 2


def test_a_feature_of_zeros_is_far_from_everything_and_no_error():
    train, labels = blobs(20)
    train[3] = 0
    said = knn.predict(train, labels, np.zeros((1, 8)), k=1, temperature=0.07)
    assert said == labels[0]


@pytest.mark.parametrize("chunk", [1, 61, 1000, knn.CHUNK])
def test_blocks_and_the_order_of_test_images_change_nothing(chunk, monkeypatch):
    train, labels = blobs(60)
    test, _ = blobs(97, seed=3)
    expected = knn.predict(train, labels, test, k=11, temperature=0.07)
    monkeypatch.setattr(knn, "CHUNK", chunk)
    order = np.random.default_rng(0).permutation(97)
    said = knn.predict(train, labels, test[order], k=11, temperature=0.07)
    assert np.array_equal(said, expected[order])


@pytest.mark.parametrize("k", [0, 13])
def test_more_neighbours_than_images_are_refused(k):
    train, labels = blobs(12)
    with pytest.raises(ValueError, match=rf"k = {k} neighbours of 12 .*from 1 to 12"):
        knn.predict(train, labels, train, k=k, temperature=0.07)
