"""The environment alone changes behaviour. `.env.example` explains each name."""

import os
import secrets
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

from config import checks
from config.env import Environment

# So that ModelAdmin[User] means at run time what it means to the type checker.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"][
    "version"
]

env = Environment(Path(os.environ.get("ENV_FILE", BASE_DIR / ".env")))

# --- Environment -------------------------------------------------------------------
# Unset or unknown counts as production: forgetting the name must not open a door.
ENVIRONMENT = env.choice(
    "ENVIRONMENT", ("production", "staging", "development", "build"), "production"
)
DEBUG = env.flag("DEBUG", default=False)
WEB_CONCURRENCY = env.number("WEB_CONCURRENCY", 1, minimum=1, maximum=512)
WEB_THREADS = env.number("WEB_THREADS", 4, minimum=1, maximum=64)

# --- Keys --------------------------------------------------------------------------
SECRET_KEY = env.text("SECRET_KEY")
if ENVIRONMENT == "build":
    # collectstatic needs a key and keeps nothing of it; asgi.py refuses to serve so.
    SECRET_KEY = secrets.token_urlsafe(48)
JWT_SIGNING_KEYS = env.listing("JWT_SIGNING_KEYS")

# --- Addresses ---------------------------------------------------------------------
PUBLIC_URL = env.origin("PUBLIC_URL")
FRONTEND_URL = env.origin(
    "FRONTEND_URL", "http://localhost:3000" if ENVIRONMENT == "development" else ""
)
ALLOWED_HOSTS = env.listing(
    "ALLOWED_HOSTS",
    ("localhost", "127.0.0.1", "[::1]") if ENVIRONMENT == "development" else (),
)
CORS_ALLOWED_ORIGINS = env.listing("BACKEND_CORS_ORIGINS")
CSRF_TRUSTED_ORIGINS = (
    ["{0.scheme}://{0.netloc}".format(urlsplit(PUBLIC_URL))] if PUBLIC_URL else []
)
TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0, maximum=16)
ADMIN_PATH = env.text("ADMIN_PATH", "admin/").lstrip("/")

# --- Applications ------------------------------------------------------------------
INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "config.apps.ConsoleConfig",
    "live",
    "organizations",
    "accounts",
    "sessions_app",
    "limits",
    "outbox",
    "audit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
# The edge (config/edge.py) sets the headers and checks host and transport; what only the
# console needs runs only under the console's path.
MIDDLEWARE = [
    "corsheaders.middleware.CorsMiddleware",
    "config.console.ConsoleSessions",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.console.ConsoleAuthentication",
    "config.console.ConsoleMessages",
    "config.console.ConsoleStatements",
    "config.console.ConsoleDenials",
]
SILENCED_SYSTEM_CHECKS = [
    # SecurityMiddleware and XFrameOptionsMiddleware: the edge does their work for every
    # answer, also those that never reach Django. W008 (redirect to HTTPS) with it: pages
    # are redirected there, calls are refused, health is exempt.
    "security.W001",
    "security.W002",
    "security.W008",
    # User.email is unique by its key, which the constraint is on; EmailBackend uses it.
    "auth.W004",
    # SQLite has the columns of an index that is a whole answer on PostgreSQL only.
    "models.W040",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.for_templates",
            ]
        },
    }
]

# --- Limits on input ---------------------------------------------------------------
MAX_BODY_BYTES = 1024 * 1024
MAX_HEADER_BYTES = 32 * 1024
MAX_JSON_DEPTH = 64
MAX_JSON_KEYS = 10_000
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
REQUEST_DEADLINE = timedelta(seconds=30)
# What is streamed has the deadline above for each piece, and this for the whole.
STREAM_DEADLINE = timedelta(minutes=10)
QUEUE_DEADLINE = timedelta(seconds=5)
QUEUE_LENGTH = env.number("QUEUE_LENGTH", 512, minimum=1)
# Told to stop, a server goes on for so long before it takes no more connections.
DRAIN_PAUSE = timedelta(seconds=env.number("DRAIN_SECONDS", 1, maximum=60))

# --- Database ----------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
}
ALLOW_SQLITE = env.flag("ALLOW_SQLITE", default=False)
DATABASE_STATEMENT_TIMEOUT = timedelta(
    seconds=env.number("DATABASE_STATEMENT_TIMEOUT_SECONDS", 15)
)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"] |= {
        # A file per thread costs nothing to keep open, and 1 ms to open.
        "CONN_MAX_AGE": None,
        "OPTIONS": DATABASES["default"].get("OPTIONS", {})
        | {
            # Take the write lock at BEGIN: a transaction that reads first and writes
            # later would fail at once, whatever the timeout.
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
else:
    DATABASES["default"] |= {
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": env.number(
            "DATABASE_CONNECTION_LIFETIME_SECONDS", 3600, minimum=1
        ),
        "CONN_HEALTH_CHECKS": True,
        # What the URL says of the connection (sslmode, application_name) stands.
        "OPTIONS": DATABASES["default"].get("OPTIONS", {})
        | {
            # Each thread has one of its own: there is nothing to wait for.
            "pool": False,
            "server_side_binding": True,
            "prepare_threshold": 5,
            "connect_timeout": 3,
            "options": (
                f"-c statement_timeout={int(DATABASE_STATEMENT_TIMEOUT.total_seconds())}s"
                " -c lock_timeout=3s -c idle_in_transaction_session_timeout=60s"
            ),
        },
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache and channel layer -------------------------------------------------------
REDIS_URL = env.redis("REDIS_URL")
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
        }
    }
    CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
        "default": {
            # Its groups do not end after a day, as those of the other do.
            "BACKEND": "audit.layers.RedisLayer",
            # Its channels know no databases: another's events must not come here.
            "CONFIG": {
                "hosts": [REDIS_URL],
                "prefix": f"live{urlsplit(REDIS_URL).path.strip('/') or 0}-",
            },
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- Accounts and passwords --------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.EmailBackend"]
FIRST_SUPERUSER_EMAIL = env.text("FIRST_SUPERUSER_EMAIL")
FIRST_SUPERUSER_PASSWORD = env.text("FIRST_SUPERUSER_PASSWORD")
PASSWORD_MINIMUM_LENGTH = env.number("PASSWORD_MINIMUM_LENGTH", 12, minimum=8, maximum=64)
PASSWORD_MAXIMUM_LENGTH = 128
ARGON2_MEMORY_KIB = env.number("ARGON2_MEMORY_KIB", 19_456, minimum=8)
ARGON2_PASSES = env.number("ARGON2_PASSES", 2, minimum=1)
_ARGON2ID, _BCRYPT = "accounts.hashers.Argon2idHasher", "accounts.hashers.BcryptHasher"
PASSWORD_HASHERS = [
    *(
        [_ARGON2ID, _BCRYPT]
        if env.choice("PASSWORD_HASHER", ("argon2id", "bcrypt"), "argon2id") == "argon2id"
        else [_BCRYPT, _ARGON2ID]
    ),
    # Verified and upgraded at the next sign-in, never made.
    "accounts.hashers.LegacyBcryptHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.passwords.PersonalDataValidator"},
    {"NAME": "accounts.passwords.StrengthValidator"},
]

# --- The life of an account --------------------------------------------------------
# Whether an address must be shown to be the person's: before signing in, or at all.
EMAIL_VERIFICATION = env.choice(
    "EMAIL_VERIFICATION", ("off", "optional", "required"), "optional"
)
PASSWORD_RESET_LIFETIME = timedelta(minutes=30)
EMAIL_PROOF_LIFETIME = timedelta(hours=24)
# How long an owner can undo what a thief did.
DISOWN_LIFETIME = timedelta(days=7)
CODE_ATTEMPTS = 5
LEAVING_GRACE = timedelta(
    days=env.number("LEAVING_GRACE_DAYS", 14, minimum=7, maximum=365)
)
DELETED_GRACE = timedelta(days=env.number("DELETED_GRACE_DAYS", 30, maximum=3650))

# --- Organizations -----------------------------------------------------------------
MEMBERS_PER_ORGANIZATION = env.number("MEMBERS_PER_ORGANIZATION", 10_000, minimum=1)
ORGANIZATIONS_PER_USER = env.number("ORGANIZATIONS_PER_USER", 100, minimum=1)
# Those that are open.
INVITATIONS_PER_ORGANIZATION = env.number("INVITATIONS_PER_ORGANIZATION", 500, minimum=1)
INVITATION_LIFETIME = timedelta(days=7)
INVITATIONS_KEPT = timedelta(
    days=env.number("INVITATIONS_KEPT_DAYS", 90, minimum=1, maximum=3650)
)
# Mails of invitations, renewed ones too: of one organization, of one person, of one
# organization to one address, and of all to one address.
INVITATIONS_PER_TENANT = ((env.number("INVITATIONS_PER_HOUR", 20), timedelta(hours=1)),)
INVITATIONS_PER_INVITER = ((50, timedelta(hours=1)), (200, timedelta(days=1)))
INVITATIONS_PER_ADDRESS = ((4, timedelta(days=1)),)
INVITATIONS_PER_ADDRESS_OF_ALL = ((20, timedelta(days=1)),)

# --- Device sessions and tokens ----------------------------------------------------
ACCESS_TOKEN_LIFETIME = timedelta(
    minutes=env.number("ACCESS_TOKEN_LIFETIME_MINUTES", 15, minimum=1, maximum=1440)
)
REFRESH_TOKEN_LIFETIME = timedelta(
    days=env.number("REFRESH_TOKEN_LIFETIME_DAYS", 7, minimum=1, maximum=365)
)
SESSION_ABSOLUTE_LIFETIME = timedelta(
    days=env.number("SESSION_ABSOLUTE_LIFETIME_DAYS", 30, minimum=1, maximum=3650)
)
REFRESH_GRACE = timedelta(seconds=10)
SESSION_TOUCH_INTERVAL = timedelta(minutes=1)
SESSIONS_PER_USER = env.number("SESSIONS_PER_USER", 20, minimum=1, maximum=1000)
JWT_ISSUER = env.text("JWT_ISSUER") or "backend-api"
JWT_AUDIENCE = env.text("JWT_AUDIENCE") or "backend-api"
JWT_LEEWAY = timedelta(seconds=30)
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,  # never signs: sessions_app/tokens.py has the keys
    "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "ISSUER": JWT_ISSUER,
    "AUDIENCE": JWT_AUDIENCE,
    "LEEWAY": JWT_LEEWAY,
}
GEOIP_PATH = env.text("GEOIP_PATH")

# --- Live events -------------------------------------------------------------------
# Open at once, in all processes together.
SOCKETS_PER_USER = env.number("SOCKETS_PER_USER", 10, minimum=1)
SOCKETS_PER_ADDRESS = env.number("SOCKETS_PER_ADDRESS", 200, minimum=1)

# --- Rate limits and brute force ---------------------------------------------------
RATELIMIT_ENABLE = env.flag("RATELIMIT_ENABLE", default=True)
# Calls a minute, per signed-in user where the call needs one, else per client address.
RATE_LIMITS = env.numbers(
    "RATE_LIMITS",
    {
        "register": 5,
        "login": 10,
        "login_oauth": 10,
        "refresh": 600,
        "refresh_session": 30,
        "logout": 10,
        "logout_all": 5,
        "profile": 30,
        "update_user": 30,
        "password": 5,
        "password_reset": 3,
        "password_reset_confirm": 5,
        "verify_email": 10,
        "resend_verification": 3,
        "change_email": 5,
        "confirm_email": 10,
        "restore_email": 10,
        "disown": 10,
        "leave": 5,
        "stay": 10,
        "export": 5,
        "delete_user": 10,
        "sessions": 30,
        "end_session": 10,
        "end_sessions": 5,
        "remove_sessions": 5,
        "rename_session": 30,
        "create_organization": 10,
        "update_organization": 30,
        "delete_organization": 10,
        "update_member": 30,
        "remove_member": 30,
        "leave_organization": 10,
        "transfer_ownership": 5,
        "invite": 30,
        "revoke_invitation": 30,
        "resend_invitation": 10,
        "preview_invitation": 30,
        "answer_invitation": 10,
        "organization_events": 60,
        "export_events": 5,
        "admin_events": 120,
        "live": 60,
        "live_resume": 10,
    },
)
# Failed sign-ins: how many, in how long.
GUESSES_PER_PAIR = (10, timedelta(minutes=15))
GUESSES_PER_ACCOUNT = (50, timedelta(hours=1))
GUESSES_PER_ADDRESS = (30, timedelta(minutes=1))
KNOWN_ADDRESS_LIFETIME = timedelta(days=30)

# --- Mail --------------------------------------------------------------------------
globals().update(env.mail("EMAIL_URL", "consolemail://"))
# Seconds for each step of a conversation with the mail server.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL") or "Backend API <noreply@localhost>"
# What mails call the service.
PRODUCT_NAME = env.text("PRODUCT_NAME") or "Backend API"
# By every server process itself, or by `manage.py deliver` alone.
MAIL_DELIVERY = env.choice("MAIL_DELIVERY", ("embedded", "worker"), "embedded")
MAILS_KEPT = timedelta(days=env.number("MAILS_KEPT_DAYS", 7, minimum=1, maximum=365))
# What is mailed to one address on request: so many in so long; more is not sent.
MAILS_PER_ADDRESS = ((3, timedelta(minutes=1)), (5, timedelta(hours=1)))
NOTICES_OFF = env.some(
    "NOTICES_OFF",
    (
        "new_device",
        "password_changed",
        "address_changed",
        "refresh_reused",
        "account_deleted",
    ),
)

# --- Logs --------------------------------------------------------------------------
LOG_LEVEL = env.choice(
    "LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO"
)
LOG_FORMAT = env.choice(
    "LOG_FORMAT",
    ("json", "console"),
    "console" if ENVIRONMENT == "development" else "json",
)
LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}

# --- The console's own sessions ----------------------------------------------------
SECURE_COOKIES = ENVIRONMENT in {"production", "staging"}
_COOKIE_PREFIX = "__Host-" if SECURE_COOKIES else ""
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}console"
SESSION_COOKIE_AGE = 30 * 60
SESSION_SAVE_EVERY_REQUEST = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrf"
CSRF_COOKIE_HTTPONLY = True
LOGIN_REDIRECT_URL = f"/{ADMIN_PATH}"
CSRF_FAILURE_VIEW = "config.api.problems.csrf_failure"

# --- REST --------------------------------------------------------------------------
API_PREFIX = "/api/v1"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "sessions_app.authentication.SessionTokenAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["limits.throttles.LimitThrottle"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.rendering.FastJSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.negotiation.JSONOnly",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.ContractSchema",
    "EXCEPTION_HANDLER": "sessions_app.denials.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Backend API",
    "DESCRIPTION": (
        "Accounts, sign-in with device sessions, organizations and administration. "
        "Every error is an RFC 9457 problem document; its codes are listed at "
        "`/docs/errors`. The WebSocket `/ws/v1/events` tells what concerns a caller and "
        "closes with 4401 when its session ends: docs/asyncapi.yaml describes its frames."
    ),
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "organizations.roles.Role.choices",
        "CapabilityEnum": "organizations.roles.Capability.choices",
        "InvitationStatusEnum": "organizations.models.STATUSES",
    },
    "SORT_OPERATIONS": True,
    "TAGS": [
        {"name": "Authentication", "description": "Register, sign in, stay signed in."},
        {"name": "Users", "description": "The own profile; all people for superusers."},
        {"name": "Sessions", "description": "The devices that are signed in."},
        {"name": "Organizations", "description": "Tenants, their members and events."},
        {"name": "Invitations", "description": "Inviting, and being invited."},
        {"name": "Administration", "description": "Everything, for superusers."},
    ],
}

# --- Headers -----------------------------------------------------------------------
CSP_MODE = env.choice("CSP_MODE", ("strict", "relaxed", "disabled"), "strict")
HSTS_LIFETIME = timedelta(days=365)
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_HEADERS = ["authorization", "content-type", "x-device-id", "x-request-id"]
CORS_EXPOSE_HEADERS = ["Retry-After", "X-Request-ID"]
CORS_URLS_REGEX = r"\A/api/"
CORS_PREFLIGHT_MAX_AGE = 3600

# --- Static files ------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Named by content and kept for ever, once `collectstatic` has run.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if ENVIRONMENT == "development"
        else "servestatic.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Languages and time ------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("it", "Italiano")]
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "UTC"

# --- Refusal -----------------------------------------------------------------------
# Here and not in a system check, so that every entry point refuses alike.
if _faults := [*env.faults, *checks.faults(globals())]:
    raise ImproperlyConfigured("\n".join(["The settings are not usable:", *_faults]))
