"""Kinds of fuzzed requests that differ in what is around their body. A further kind is a function, and an entry in ``HEADS``."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace

from benchmarks.hostile.bodies import mutated, text
from benchmarks.hostile.message import JSON, Kind, Message, head, post, to_json

BODY = to_json({"inputs": ["3 May 2031"], "params": {"max_length": 20}})
PATHS = (
    "/ping",
    "/health",
    "/ready",
    "/version",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/redoc",
    "/invocations",
    "/",
    "/translate",
)


def _empty_bodies(draw: random.Random) -> Message:
    return post(draw.choice([b"", b" ", b"\n", b"\r\n\r\n"]), "400")


def _other_content_types(draw: random.Random) -> Message:
    kinds = ["text/plain", "application/xml", "multipart/form-data; boundary=x", "json", ";", "application/jsonp", "*/*", "é", "/"]
    kinds += ["application/json; charset=utf-16", 'application/json; charset="latin-1', "a" * 5000, "application/json,text/csv"]
    return post(BODY, "415", content_type=draw.choice(kinds))


def _no_content_type(draw: random.Random) -> Message:
    return post(draw.choice([BODY, b"", b"source\na\n"]), "415", content_type=draw.choice([None, ""]))


def _odd_content_types(draw: random.Random) -> Message:
    kinds = ["APPLICATION/JSON", "application/json;charset=UTF-8", 'application/json; charset="utf-8"; x=y', "application/json;;;"]
    return post(BODY, "200", "503", content_type=draw.choice(kinds))


def _methods(draw: random.Random) -> Message:
    method = draw.choice(
        ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "post", "X", "CONNECT", "PROPFIND", "A" * 300]
    )
    path = draw.choice(PATHS)
    return Message(head(method, path, {"Host": "x", "Content-Length": "0"}), method)


def _paths(draw: random.Random) -> Message:
    found = [
        "/invocations/",
        "//invocations",
        "/invocations/../ping",
        "/%00",
        "/%ff%fe",
        "/%ed%a0%80",
        "/../../etc/passwd",
        "/INVOCATIONS",
        "/" + "a" * 10_000,
        "/ping?" + "x=1&" * 500,
        "http://y/ping",
        "*",
        "/docs/oauth2-redirect",
        "/static/../../x",
        "/ping;x",
        "/%2e%2e/x",
        "/invocations?x=%zz",
        "/metrics/",
        "/ping/",
        "//evil.example/ping/",
        "/ping#x",
        "/invocations%2f",
        "http://[/ping/",
        "//",
        "/?/",
    ]
    method = draw.choice(["GET", "POST"])
    body = BODY if method == "POST" else b""
    headers = {"Host": draw.choice(["x", "", "[", "a:b:c", "é"]), "Content-Length": str(len(body)), "Content-Type": JSON}
    return Message(head(method, draw.choice(found), headers) + body, method, may_be_closed=True)


def _pages(draw: random.Random) -> Message:
    return Message(head(draw.choice(["GET", "HEAD"]), draw.choice(PATHS), {"Host": "x"}), "HEAD")


def _odd_headers(draw: random.Random) -> Message:
    headers = draw.choice(
        [
            {"Authorization": "Bearer \xff\xfe"},
            {"Authorization": "Basic " + "a" * 2000},
            {"Cookie": "x=" + "y" * 9000},
            {"Expect": "100-continue"},
            {"Expect": "200-maybe"},
            {"Upgrade": "websocket", "Connection": "Upgrade"},
            {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"},
            {"Connection": "close, keep-alive, x"},
            {"TE": "trailers"},
            {"Accept": "text/html"},
            {"Accept-Encoding": "br;q=x"},
            {"X-Forwarded-For": "1.2.3.4, é"},
            {"Host": ""},
            {"Range": "bytes=0-"},
            {"X-Request-Id": "../../x"},
            {"traceparent": "00-zz-zz-zz"},
            {"If-None-Match": "*"},
            {"X-Forwarded-Proto": "x y"},
            {f"X-{number}": "y" for number in range(90)},
            {"Origin": "null", "Access-Control-Request-Method": "x"},
            {"Transfer-Encoding": "gzip"},
            {"Content-Length": "+3"},
            {"Content-Length": "-1"},
            {"Content-Length": "9" * 30},
        ]
    )
    return replace(post(BODY, headers=headers), may_be_closed=True)


def _packed_bodies(draw: random.Random) -> Message:
    body = draw.choice([gzip.compress(BODY), gzip.compress(b"0" * 3_000_000), BODY])
    return post(body, headers={"Content-Encoding": draw.choice(["gzip", "br", "identity", "gzip, gzip"])})


def _chunked_bodies(draw: random.Random) -> Message:
    lines = {"Host": "x", "Content-Type": JSON, "Transfer-Encoding": "chunked"}
    size = draw.randrange(1, 30)
    parts = [BODY[start : start + size] for start in range(0, len(BODY), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    end = draw.choice(
        [b"0\r\n\r\n"] * 3 + [b"0\r\nX: y\r\n\r\n", b"zz\r\n", b"-1\r\n\r\n", b"ffffffffffffffff\r\n" + BODY, b"5;x=y\r\na\r\n"]
    )
    expected = ("200", "503") if end == b"0\r\n\r\n" else ()
    return Message(
        head("POST", "/invocations", lines) + body + end,
        expected=expected,
        may_be_closed=not expected,
    )


def _both_lengths(draw: random.Random) -> Message:
    lines = {"Host": "x", "Content-Type": JSON, "Content-Length": str(len(BODY)), "Transfer-Encoding": "chunked"}
    return Message(
        head("POST", "/invocations", lines) + draw.choice([BODY, b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)]),
        may_be_closed=True,
    )


def _wrong_lengths(draw: random.Random) -> Message:
    message = post(BODY, length=draw.choice([0, 1, len(BODY) - 1, len(BODY) + 5, 10**7, 3 * 10**9, 10**18]))
    return replace(
        message,
        may_be_closed=True,
    )


def _broken_heads(draw: random.Random) -> Message:
    whole = post(BODY).data
    forms = [
        b"\r\n" * 50,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        whole.replace(b"Host: x\r\n", b""),
        whole.replace(b"\r\n", b"\n"),
        whole.replace(b": ", b" : "),
        whole.replace(b"Host: x", b"Host: x\r\nHost: y"),
        mutated(draw, whole),
        whole.replace(b"Host: x", b" folded: x"),
        b"\x00" * 100,
    ]
    return Message(
        draw.choice(forms),
        may_be_closed=True,
    )


def _long_heads(draw: random.Random) -> Message:
    headers = draw.choice([{"X": "y" * 60_000}, {"X": "y" * 100_000}, {f"X-{number}": "y" * 100 for number in range(2000)}])
    return replace(post(BODY, headers=headers), may_be_closed=True)


def _several_at_once(draw: random.Random) -> Message:
    ping = head("GET", "/ping", {"Host": "x"})
    first = draw.choice([post(BODY).data, ping])
    return Message(
        first + b"".join(draw.choice([ping, post(BODY).data, b"GET /pi"]) for _ in range(draw.randrange(1, 5))),
        expected=("200", "503"),
    )


def _clients_that_leave(draw: random.Random) -> Message:
    body = to_json({"inputs": [text(draw)] * 20, "params": {"min_length": 200, "max_length": 200, "beam_size": 5}})
    whole = post(body).data
    return Message(whole[: draw.choice([len(whole), len(whole) // 2, 20])], leaves=True)


def _files_by_form(draw: random.Random) -> Message:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../x"\r\n\r\n'
        + b"a" * draw.randrange(2000)
        + b"\r\n--x--\r\n"
    )
    return post(body, content_type="multipart/form-data; boundary=x", path=draw.choice(PATHS))


HEADS: dict[str, Kind] = {
    kind.__name__.strip("_").replace("_", " "): kind
    for kind in (
        _empty_bodies,
        _other_content_types,
        _no_content_type,
        _odd_content_types,
        _methods,
        _paths,
        _pages,
        _odd_headers,
        _packed_bodies,
        _chunked_bodies,
        _both_lengths,
        _wrong_lengths,
        _broken_heads,
        _long_heads,
        _several_at_once,
        _clients_that_leave,
        _files_by_form,
    )
}
