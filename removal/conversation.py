"""What subject and maintainers say to each other, under one name: messages and questions.

All of it is sealed under `case` and dies with it.
"""

from removal.messages import (
    MESSAGE_MAX,
    MESSAGES_MAX,
    TALK_DAYS,
    UNANSWERED_MAX,
    ConversationInvalid,
    ConversationRefused,
    conversation_open,
    message_post,
    message_send,
)
from removal.questions import (
    ANSWER_DAYS,
    QUESTIONS_MAX,
    question_answer,
    question_put,
    requests_expire,
)

__all__ = [
    "ANSWER_DAYS",
    "MESSAGES_MAX",
    "MESSAGE_MAX",
    "QUESTIONS_MAX",
    "TALK_DAYS",
    "UNANSWERED_MAX",
    "ConversationInvalid",
    "ConversationRefused",
    "conversation_open",
    "message_post",
    "message_send",
    "question_answer",
    "question_put",
    "requests_expire",
]
