"""Bodies of the chat API as servers write them: the text, or why there is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks import chat_reply
from emorealm_tasks.answers import thinking
from emorealm_tasks.chat_reply import ErrorBody
from faulty_server import chat


def body(**message):
    made = chat("")
    made["choices"][0]["message"] = message
    return made


def choice(**content):
    return chat("") | {"choices": [content]}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (chat("A"), "A"),
        (body(content=[{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]), "AB"),
        (body(content=[{"type": "thinking", "thinking": "B?"}, {"type": "text", "text": "A"}]), "A"),
        (body(content=[{"type": "output_text", "text": "A"}, None, 5, "B"]), "AB"),
        (body(content={"type": "text", "text": "A"}), "A"),
        (body(content=[{"type": "text", "text": {"value": "A"}}]), "A"),
        (body(content=7), "7"),
        (body(content="\ud83d A"), "\ufffd A"),
        (body(content="<think>B? C?</think>\nA"), "A"),
        (body(content="B? C?</think>A"), "A"),
        (body(content="A<think>B?"), "A"),
        (choice(text="A"), "A"),
        (chat("A") | {"usage": [], "error": None}, "A"),
        (chat("A") | {"usage": {"prompt_tokens": "many", "completion_tokens": None}}, "A"),
        (chat("A") | {"error": {"message": "but it worked"}}, "A"),
    ],
)
def test_the_text_is_found(answer, text):
    assert chat_reply.read(answer).text == text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (body(content=None), "without a text (finish_reason=stop)"),
        (body(content=[]), "without a text"),
        (body(), "without a text"),
        (chat("") | {"choices": None}, "without a text (finish_reason=none)"),
        (chat("") | {"choices": [None]}, "without a text"),
        (chat("") | {"choices": {"0": 1}}, "without a text"),
        (choice(message=[], finish_reason=["length"]), "without a text (finish_reason=none)"),
        (choice(message={"content": ""}, finish_reason="length"), "finish_reason=length"),
        (choice(message={"content": "<think>A? B?"}, finish_reason="length"), "it thought and did not answer"),
        (body(content=None, reasoning_content="A?"), "it thought and did not answer"),
        (body(content=None, tool_calls=[{"function": {"name": "look", "arguments": "{}"}}]), "called the tool 'look'"),
        (body(content=None, tool_calls=["x"]), "called the tool"),
        (body(content=None, function_call={"name": "look"}), "called the tool 'look'"),
        ({}, "without a text"),
    ],
)
def test_why_there_is_no_text_is_said(answer, words):
    reply = chat_reply.read(answer)
    assert reply.text == ""
    assert words in reply.no_text_reason


@pytest.mark.parametrize(
    "message", [{"content": None, "refusal": "no"}, {"content": [{"type": "refusal", "refusal": "no"}]}]
)
def test_a_refusal_is_one(message):
    assert chat_reply.read(body(**message)).finish == "refusal"


@pytest.mark.parametrize(
    ("answer", "words", "passes"),
    [
        ({"error": {"message": "slow down", "code": 429}}, "slow down", True),
        ({"error": {"message": "slow down", "code": "429"}}, "slow down", True),
        ({"error": {"message": "slow", "type": "rate_limit_exceeded"}}, "rate_limit", True),
        ({"error": {"message": "busy", "code": "overloaded"}}, "busy", True),
        ({"error": {"message": "broken", "code": 503}}, "broken", True),
        ({"error": {"message": "too long", "code": 400}}, "too long", False),
        ({"error": "out of memory"}, "out of memory", False),
        ({"object": "error", "message": "slow", "code": 429}, "slow", True),
        ({"message": "no such model", "code": 404}, "no such model", False),
        ({"detail": "not found"}, "not found", False),
        ({"choices": [{"error": {"code": 429, "message": "slow"}, "finish_reason": "error"}]}, "slow", True),
        ({"choices": None, "error": {"message": "slow", "code": 429}}, "slow", True),
        ([], "no answer of the chat API", False),
        ("hello", "hello", False),
        (None, "no answer", False),
    ],
)
def test_an_error_in_the_body_is_one_in_the_servers_words(answer, words, passes):
    with pytest.raises(ErrorBody) as raised:
        chat_reply.read(answer)
    assert words in str(raised.value)
    assert raised.value.passes == passes


_KEYS = ("choices", "message", "content", "text", "error", "code", "usage", "tool_calls", "refusal")
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "text", "error", "code", "usage", "tool_calls", "refusal"]
            ),
            inner,
        )
    ),
)


@given(_ANY)
def test_no_body_raises_anything_else(value):
    try:
        reply = chat_reply.read(value)
    except ErrorBody as error:
        str(error).encode()
    else:
        reply.text.encode()
        assert reply.text or reply.no_text_reason


def test_thoughts_are_taken_out():
    assert thinking.without("<think>a</think> B <think>c</think> D").split() == ["B", "D"]
    assert thinking.without("<think>a <think>b</think> c</think>D").split() == ["D"]
    assert thinking.without("[THINK]a[/THINK]D").split() == ["D"]
    assert thinking.without("no thoughts") == "no thoughts"
    quoted = json.dumps({"reason": "it says <think> and no more", "score": 3})
    assert thinking.without(quoted) == quoted
    assert thinking.are_all("<think>all of it</think> ")
    assert not thinking.are_all("<think>cut off")
