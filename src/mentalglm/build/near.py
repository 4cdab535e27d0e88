"""Near-duplicates: MinHash over character 3-grams finds who may be alike, the exact Jaccard decides.

Words would not do: Chinese has no blanks between them, and a post of twelve characters has few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mentalglm.text.key import letters

PERMUTATIONS = 128
BANDS, ROWS = 32, 4  # two posts of Jaccard 0.7 meet in a band with probability 0.9998, of 0.5 with 0.87


def grams(text: str) -> frozenset[str]:
    """Character 3-grams of the letters and digits, NFKC and lower case; the raw text where there are none."""
    said = letters(text)
    return frozenset(said[i : i + 3] for i in range(max(1, len(said) - 2)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 1.0


def pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Every two texts (i < j) of Jaccard `threshold` or more, with it; exact for what MinHash lets meet."""
    from datasketch import MinHash, MinHashLSH

    sets = [grams(t) for t in texts]
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    encoded = ([g.encode("utf-8", "surrogatepass") for g in sorted(s)] for s in sets)
    for j, sketch in enumerate(MinHash.generator(encoded, num_perm=PERMUTATIONS, seed=1)):
        for i in sorted(index.query(sketch)):  # pyright: ignore[reportArgumentType]
            if (found := jaccard(sets[i], sets[j])) >= threshold:
                yield i, j, found
        index.insert(j, sketch, check_duplication=False)


def groups(count: int, joined: Iterator[tuple[int, int]]) -> list[int]:
    """For each of `count` things the lowest of those that it is joined with, directly or over others."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in joined:
        a, b = sorted((root(i), root(j)))
        parent[b] = a
    return [root(i) for i in range(count)]
