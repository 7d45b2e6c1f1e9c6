from __future__ import annotations

import random

from seq2seq_core.decoding.phrases.forbidden_ids import ForbiddenIds
from seq2seq_core.decoding.phrases.phrase_matcher import phrases_in
from seq2seq_core.decoding.phrases.piece_texts import PieceTexts
from seq2seq_core.tokenization.special_tokens import NUM_SPECIAL, UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel

from .conftest import TEXTS

PHRASES = ("cat", "hot dog", "café", "cafe", "東京", "京", "New York", "\u2581", "dog.", "\u2047", "a", "42", "n", "é")


def test_an_id_is_closed_exactly_where_the_text_after_it_has_a_phrase(tokenizer: SubwordModel, fresh_random: random.Random) -> None:
    pieces = PieceTexts(tokenizer)
    known = [UNK_ID, *range(NUM_SPECIAL, tokenizer.vocabulary_size)]
    closed = dead = 0
    for _ in range(40):
        forbidden = ForbiddenIds(phrases := fresh_random.sample(PHRASES, 3), pieces)
        ids = tokenizer.encode([fresh_random.choice(TEXTS)])[0]
        ids = ids[: fresh_random.randint(0, len(ids))] + fresh_random.choices(known, k=fresh_random.randint(0, 3))
        spelled = pieces.read_all(forbidden.matcher, ids)
        assert forbidden.can_end(spelled) == (not phrases_in(tokenizer.decode([ids])[0], phrases)), (ids, phrases)
        if forbidden.is_dead(spelled):
            dead += 1
            continue
        outlook = forbidden.outlook(spelled)
        texts = tokenizer.decode([[*ids, id_] for id_ in known])
        expected = {id_ for id_, text in zip(known, texts, strict=True) if phrases_in(text, phrases)}
        assert ({*outlook.dead.tolist()} | {*outlook.open.tolist()}).difference(range(NUM_SPECIAL)) | expected & {
            UNK_ID
        } == expected
        assert not set(outlook.dead.tolist()) & set(outlook.open.tolist())
        closed += len(expected)
    assert closed > 10
    assert dead > 0


def test_dead_is_for_good_and_open_is_not(tokenizer: SubwordModel, fresh_random: random.Random) -> None:
    pieces = PieceTexts(tokenizer)
    known = range(NUM_SPECIAL, tokenizer.vocabulary_size)
    forbidden = ForbiddenIds(("cat", "dog"), pieces)
    num_dead = num_open = 0
    for text in ("the ca", "the cat", "the do", "hot dog", "a do", "a"):
        for cut in (0, 1):
            ids = tokenizer.encode([text])[0]
            ids = ids[: len(ids) - cut]
            outlook = forbidden.outlook(pieces.read_all(forbidden.matcher, ids))
            for id_ in outlook.dead.tolist():
                if not forbidden.is_dead(pieces.read_all(forbidden.matcher, [*ids, id_])):
                    continue  # the first byte of a character: no one id can end the text behind it
                ends = tokenizer.decode([[*ids, id_, *fresh_random.choices(known, k=2)] for _ in range(5)])
                assert all(phrases_in(one, ("cat", "dog")) for one in ends), (ids, id_, ends)
            for id_ in outlook.open.tolist():
                after = pieces.read_all(forbidden.matcher, [*ids, id_])
                assert not forbidden.can_end(after)
                assert not forbidden.is_dead(after)
            num_dead, num_open = num_dead + len(outlook.dead), num_open + len(outlook.open)
    assert num_dead
    assert num_open or tokenizer.kind == "symbols"
