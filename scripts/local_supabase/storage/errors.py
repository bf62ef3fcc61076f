"""What the Storage stand-in answers when a request is refused, in the shape of the real API.

Most refusals travel as HTTP 400 with the real status in the body: a client that looks at the HTTP status
alone learns nothing. The exceptions are 500, 429 (no connection free) and 544 (statement timeout).
"""

from __future__ import annotations

import psycopg
from starlette.responses import JSONResponse


class StorageJSON(JSONResponse):
    media_type = "application/json; charset=utf-8"


class StorageError(Exception):
    """A refusal: `status` goes into the body, `http_status` onto the wire."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        error: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.error = error or code
        self.message = message
        self.http_status = http_status or (500 if status == 500 else 400)

    def response(self) -> StorageJSON:
        body = {
            "statusCode": str(self.status),
            "error": self.error,
            "message": self.message,
            "code": self.code,
        }
        return StorageJSON(body, self.http_status)


def no_such_bucket() -> StorageError:
    return StorageError(404, "NoSuchBucket", "Bucket not found", error="Bucket not found")


def no_such_key() -> StorageError:
    return StorageError(404, "NoSuchKey", "Object not found", error="not_found")


def bucket_already_exists() -> StorageError:
    return StorageError(409, "BucketAlreadyExists", "The resource already exists", error="Duplicate")


def key_already_exists() -> StorageError:
    return StorageError(409, "KeyAlreadyExists", "The resource already exists", error="Duplicate")


def bucket_not_empty() -> StorageError:
    return StorageError(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty")


def invalid_bucket_name() -> StorageError:
    return StorageError(400, "InvalidBucketName", "Bucket name invalid", error="Invalid Input")


def invalid_key(key: str) -> StorageError:
    return StorageError(400, "InvalidKey", f"Invalid key: {key}")


def invalid_mime_type(mimetype: str) -> StorageError:
    message = f"mime type {mimetype} is not supported"
    return StorageError(415, "InvalidMimeType", message, error="invalid_mime_type")


def invalid_range() -> StorageError:
    return StorageError(416, "InvalidRange", "The requested range is not satisfiable")


def invalid_request(message: str) -> StorageError:
    return StorageError(400, "InvalidRequest", message)


def invalid_token(message: str) -> StorageError:
    """For a token in a signed URL; a bad token in the Authorization header is `access_denied`."""
    return StorageError(400, "InvalidJWT", message)


def access_denied(message: str) -> StorageError:
    return StorageError(403, "AccessDenied", message, error="Unauthorized")


def entity_too_large() -> StorageError:
    message = "The object exceeded the maximum allowed size"
    return StorageError(413, "EntityTooLarge", message, error="Payload too large")


def no_connection_free() -> StorageError:
    message = "Too many connections issued to the database"
    return StorageError(429, "SlowDown", message, error="too_many_connections", http_status=429)


def from_database(error: psycopg.Error) -> StorageError:
    """The refusal for an error out of Postgres, a trigger's or a policy's own included.

    Only a permission error passes its text on; whatever else a trigger raises (P0001) becomes a 500 with the
    SQLSTATE and without the text.
    """
    match error.sqlstate:
        case "42501":
            text = error.diag.message_primary or "Access denied"
            by_policy = "row-level security" in text
            return access_denied("new row violates row-level security policy" if by_policy else text)
        case "23505":
            message = "The resource already exists"
            return StorageError(409, "ResourceAlreadyExists", message, error="Duplicate")
        case "23503":
            return StorageError(404, "InvalidRequest", "The related resource does not exist")
        case "55P03":
            return StorageError(423, "ResourceLocked", "The resource is locked")
        case "57014":
            message = "The connection to the database timed out"
            return StorageError(544, "DatabaseTimeout", message, http_status=544)
        case "25006":
            message = "The database is currently in read-only mode. Please try again later."
            return StorageError(503, "DatabaseReadOnly", message)
        case "42703" | "42P01":
            where = (error.diag.context or "unknown place").splitlines()[0]
            message = f"There is a database schema mismatch in a trigger or RLS policy: {where}"
            return StorageError(503, "DatabaseSchemaMismatch", message)
    return StorageError(500, "DatabaseError", f"database error, code: {error.sqlstate}")
