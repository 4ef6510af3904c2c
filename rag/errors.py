"""Every error that a user can cause or meet, as one small tree; each message is one line that says what to do.

ArticleChatError
├── UsageError              the request cannot be carried out as it stands          (exit code 2)
│   ├── DocumentError       a file cannot be read as an article
│   │   └── LeftOutError    files of a ZIP file are no articles, and were not to be
│   ├── SettingsError       a setting is unknown or has a value that cannot be used
│   ├── CollectionError     no such collection or document, or a name that cannot be one
│   │   └── NoRoomError     a visitor has as many articles as there may be
│   ├── ModelError          the model file cannot be found, fetched or loaded
│   │   └── ServerError     a model server does not answer, or not as it should: another model writes
│   └── QuestionFileError   a file of questions or history does not have the documented form
├── BusyError               so many questions wait already that no more are taken   (exit code 1)
├── StorageError            the disk is full, or a folder cannot be written          (exit code 1)
├── IndexDamagedError       the files of an index do not match their manifest       (exit code 1)
└── IndexUnreadableError    the files of an index cannot be read now                (exit code 1)
"""

from __future__ import annotations


class ArticleChatError(Exception):
    """Something went wrong that the program can explain in one line."""

    exit_code = 1


class UsageError(ArticleChatError):
    """The request cannot be carried out as it stands; the message says what to change."""

    exit_code = 2


class DocumentError(UsageError):
    """A file cannot be read as an article."""


class LeftOutError(DocumentError):
    """Files of a ZIP file that are no articles; the others of it are read all the same."""


class SettingsError(UsageError):
    """A setting is unknown or has a value that cannot be used."""


class CollectionError(UsageError):
    """No such collection or document, or a name that cannot be one."""


class NoRoomError(CollectionError):
    """A visitor has as many articles, or as much text, as there may be."""


class ModelError(UsageError):
    """A model cannot be found, fetched or loaded."""


class ServerError(ModelError):
    """A model server does not answer, or not as it should; the message names it and says why."""


class QuestionFileError(UsageError):
    """A file of questions or history does not have the documented form."""


class BusyError(ArticleChatError):
    """So many questions wait already that no more are taken; it may be asked again later."""


class StorageError(ArticleChatError):
    """What is to be kept cannot be written; what was kept before is whole."""


class IndexDamagedError(ArticleChatError):
    """The files of an index do not match what their manifest says."""


class IndexUnreadableError(ArticleChatError):
    """The files of an index cannot be read now, which says nothing of what they hold."""
