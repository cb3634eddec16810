"""Settings, all from the environment (and `.env`); docs/settings.md lists every variable.

A wrong value stops the start with a message that names the variable. Dangerous combinations are
reported by aimessage/checks.py.
"""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from aimessage.database_url import DatabaseConfig
from aimessage.env_file import load_env_file
from aimessage.environment import (
    find_unknown,
    read_choice,
    read_database,
    read_described,
    read_flag,
    read_hosts,
    read_int,
    read_list,
    read_listen_host,
    read_names,
    read_networks,
    read_origins,
    read_path,
    read_rate,
    read_text,
)
from aimessage.files import PrivateConnection, open_log_folder, serves_tls
from aimessage.issuer import read_issuer_key
from aimessage.mail.settings import parse_link, parse_mail_url, parse_object, parse_public_urls, parse_sender
from aimessage.server.logs import logging_config
from aimessage.server.redis import parse_redis_url
from assistant.settings import read_assistant
from channels.settings import Twilio, read_twilio

BASE_DIR = Path(__file__).resolve().parent.parent
_ENV_FILE = read_text("AI_MESSAGE_ENV_FILE")
_IN_ENV_FILE = load_env_file(BASE_DIR / (_ENV_FILE or ".env"), required=bool(_ENV_FILE))

#: The server's name in mails and authenticator apps.
NAME = read_text("AI_MESSAGE_NAME").strip() or "AI Messaging"

# --- Secrets -----------------------------------------------------------------------------------

DEBUG = read_flag("DEBUG")
#: HS256 takes a key of at least its hash's 256 bits (RFC 7518, section 3.2).
MIN_KEY_LENGTH = 32

SECRET_KEY = read_text("SECRET_KEY")
if not SECRET_KEY and DEBUG:
    SECRET_KEY = "insecure-development-key-that-only-DEBUG=1-accepts"  # noqa: S105
if len(SECRET_KEY) < MIN_KEY_LENGTH or len(set(SECRET_KEY)) < 5:
    raise ImproperlyConfigured(
        f"SECRET_KEY must be a random text of at least {MIN_KEY_LENGTH} characters. `make run` writes"
        " one to .env; elsewhere take the output of:"
        " python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )


def read_keys(name: str) -> list[str]:
    keys = read_list(name) or [SECRET_KEY]
    if any(len(key) < MIN_KEY_LENGTH or len(set(key)) < 5 for key in keys):
        raise ImproperlyConfigured(
            f"{name}: every key must be a random text of at least {MIN_KEY_LENGTH} characters."
        )
    return keys


#: The first key signs, all keys verify.
JWT_KEYS = read_keys("AI_MESSAGE_JWT_KEYS")
#: The first key encrypts, all keys decrypt.
ENCRYPTION_KEYS = read_keys("AI_MESSAGE_ENCRYPTION_KEYS")

# --- Addresses, proxies and hosts --------------------------------------------------------------

HOST = read_listen_host("AI_MESSAGE_HOST", "0.0.0.0")  # noqa: S104  the old backend's default
PORT = read_int("AI_MESSAGE_PORT", 8000, low=1, high=65535)
_TLS_FILES = (BASE_DIR / "ssl/cert.pem", BASE_DIR / "ssl/key.pem")
SSL_CERT = read_path("AI_MESSAGE_SSL_CERT", _TLS_FILES[0], BASE_DIR)
SSL_KEY = read_path("AI_MESSAGE_SSL_KEY", _TLS_FILES[1], BASE_DIR)
TLS = serves_tls(SSL_CERT, SSL_KEY, named=_TLS_FILES != (SSL_CERT, SSL_KEY))
HTTPS = read_flag("AI_MESSAGE_HTTPS", default=TLS)
#: Proxies in front of the server; each appends one address to X-Forwarded-For.
TRUSTED_PROXIES = read_int("AI_MESSAGE_TRUSTED_PROXIES", 0, high=10)

#: gunicorn's processes.
WORKERS = read_int("AI_MESSAGE_WORKERS", 2, low=1, high=256)
#: Per process. Waiting logins occupy threads (accounts/hashers.py), and some must be left for other requests.
THREADS = read_int("AI_MESSAGE_THREADS", 16, low=1, high=256)

ALLOWED_HOSTS = [*read_hosts("AI_MESSAGE_DOMAIN"), "localhost", "127.0.0.1", "[::1]"]
CORS_ALLOWED_ORIGINS = read_origins("AI_MESSAGE_CORS_ORIGINS")
CORS_EXPOSE_HEADERS = ["Link", "Retry-After", "X-Request-ID", "Idempotent-Replayed"]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "x-request-id",
]

SECURE_SSL_REDIRECT = HTTPS
# Load balancers ask the instance itself, over plain http.
SECURE_REDIRECT_EXEMPT = [r"^health/?$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_ENGINE = "accounts.admin_sessions"
SESSION_COOKIE_AGE = 12 * 3600  # a moderator's working day
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "aimessage.api.handlers.csrf_failure"

# --- Apps, middleware, templates ---------------------------------------------------------------

INSTALLED_APPS = [
    "aimessage.apps.AimessageConfig",
    # Before aimessage.backoffice, which replaces its page in the admin.
    "django_tasks",
    "django_tasks_db",
    "aimessage.jobs.apps.JobsConfig",
    "aimessage.mail.apps.MailConfig",
    "aimessage.audit.apps.AuditConfig",
    "aimessage.backoffice.apps.BackofficeConfig",
    "aimessage.events.apps.EventsConfig",
    "aimessage.webhooks.apps.WebhooksConfig",
    "accounts.apps.AccountsConfig",
    "messaging.apps.MessagingConfig",
    "reports.apps.ReportsConfig",
    "channels.apps.ChannelsConfig",
    "assistant.apps.AssistantConfig",
    "operations.demo.apps.DemoConfig",
    "operations.legacy_import.apps.LegacyImportConfig",
    "operations.maintenance.apps.MaintenanceConfig",
    "aimessage.backoffice.apps.AuditedAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "corsheaders",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "aimessage.api.middleware.RequestIdMiddleware",
    "aimessage.api.middleware.HeadersMiddleware",
    # Before the check of hosts and the redirect to https: Prometheus calls an address, over plain http.
    "aimessage.api.middleware.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "aimessage.api.middleware.CrossOriginMiddleware",
    "django.middleware.common.CommonMiddleware",
    # After CommonMiddleware, which checks the host.
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "aimessage.api.middleware.RequestLimitsMiddleware",
    "aimessage.api.middleware.TrailingSlashMiddleware",
    "aimessage.api.middleware.AdminSessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "aimessage.api.middleware.AdminAuthenticationMiddleware",
    "aimessage.api.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# TrailingSlashMiddleware does it without a redirect, which would lose the body of a POST.
APPEND_SLASH = False

ROOT_URLCONF = "aimessage.urls"
WSGI_APPLICATION = "aimessage.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", BASE_DIR / "clients"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Mail --------------------------------------------------------------------------------------

_FIRST_HOST = ALLOWED_HOSTS[0].removeprefix(".")
_OWN_URL = f"https://{_FIRST_HOST}" if HTTPS else f"http://{_FIRST_HOST}:{PORT}"
#: All public URLs of this server.
PUBLIC_URLS: list[str] = read_described("AI_MESSAGE_PUBLIC_URL", _OWN_URL, parse_public_urls)
#: Links in mails use this one, never the Host of a request.
PUBLIC_URL = PUBLIC_URLS[0]
_MAIL = read_described("AI_MESSAGE_MAIL_URL", "file:outbox", partial(parse_mail_url, base=BASE_DIR))
#: The folder for mails, with `file:`.
EMAIL_FILE_PATH: Path | None = None
globals().update(_MAIL)
MAIL_ON: bool = _MAIL["MAIL_ON"]
MAIL_LEAVES: bool = _MAIL["MAIL_LEAVES"]
MAIL_FROM: str = read_described(
    "AI_MESSAGE_MAIL_FROM",
    f"noreply@{_FIRST_HOST}",
    partial(parse_sender, name=NAME, leaves=MAIL_LEAVES),
)
DEFAULT_FROM_EMAIL = MAIL_FROM
#: The provider's keys, as django-anymail takes them.
ANYMAIL = read_described("AI_MESSAGE_ANYMAIL", "{}", parse_object)
#: The links in mails, by purpose.
_PAGE = f"{PUBLIC_URL}/account/{{}}?token={{{{token}}}}"
LINKS: dict[str, str] = {
    "reset": read_described("AI_MESSAGE_LINK_RESET", _PAGE.format("reset"), parse_link),
    "verify": read_described("AI_MESSAGE_LINK_VERIFY", _PAGE.format("verify"), parse_link),
    "undelete": read_described("AI_MESSAGE_LINK_UNDELETE", _PAGE.format("undelete"), parse_link),
}
_MAIL_TEMPLATES = read_text("AI_MESSAGE_MAIL_TEMPLATES").strip()
TEMPLATES += [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "NAME": f"mail-{form}",
        "DIRS": [
            *([BASE_DIR / _MAIL_TEMPLATES] if _MAIL_TEMPLATES else []),
            BASE_DIR / "aimessage/mail/templates",
        ],
        "OPTIONS": {"autoescape": form == "html"},
    }
    for form in ("text", "html")
]
#: Whether users have to verify their e-mail address.
EMAIL_VERIFICATION = read_choice("AI_MESSAGE_EMAIL_VERIFICATION", "optional", "off", "required")
if EMAIL_VERIFICATION == "required" and not MAIL_ON:
    raise ImproperlyConfigured(
        "AI_MESSAGE_EMAIL_VERIFICATION=required needs mail, and AI_MESSAGE_MAIL_URL is off."
    )

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["aimessage.backoffice.formats"]

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [("chat", BASE_DIR / "clients/web/chat")]
#: Files at the root: favicon.ico, robots.txt.
WHITENOISE_ROOT = BASE_DIR / "aimessage/root"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

# --- Database ----------------------------------------------------------------------------------

#: Seconds that /db-test and new connections wait for the database.
DATABASE_PATIENCE = 2
#: Seconds that one statement of a request may take; then the answer is a 503.
STATEMENT_SECONDS = 5
#: Whether PostgreSQL is behind a pooler in transaction mode.
DATABASE_POOLER = read_flag("AI_MESSAGE_DATABASE_POOLER")


def _database() -> DatabaseConfig:
    config = read_database(BASE_DIR / "aimessage.sqlite3", base=BASE_DIR)
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # Measured: 8 writing processes lost 633 of 800 transactions without these options, none with them.
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
            # Makes the file readable only by its owner.
            "factory": PrivateConnection,
        }
        # A new connection reads the whole schema, which takes longer than a short request.
        config["CONN_MAX_AGE"] = 60
    else:
        options.setdefault("connect_timeout", DATABASE_PATIENCE)
        # Measured: seven times as many requests per second as with a connection per request.
        config |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
        # Behind a pooler, another client may have the connection when the cursor is read again.
        config["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_POOLER
        config["ENGINE"] = "aimessage.db.postgresql"
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Jobs --------------------------------------------------------------------------------------

#: Whether gunicorn starts `manage.py work`, or the operator does.
JOBS = read_choice("AI_MESSAGE_JOBS", "embedded", "off")
#: The Redis that wakes workers for new jobs; without it they poll the table.
JOBS_URL: str = read_described("AI_MESSAGE_JOBS_URL", "", parse_redis_url)
#: Queues, with the number of jobs that one worker runs at a time. Slow jobs have their own queues.
JOB_QUEUES = {
    "default": 1,
    "mail": 1,
    "webhooks": 4,
    "channels": 2,
    "assistant": read_int("AI_MESSAGE_ASSISTANT_PARALLEL", 4, low=1, high=64),
}
TASKS = {"default": {"BACKEND": "aimessage.jobs.backend.JobsBackend", "QUEUES": list(JOB_QUEUES)}}

# --- Accounts ----------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.AccountBackend"]
# For a login to the admin without `next`, or with a `next` to another host.
LOGIN_REDIRECT_URL = "admin:index"
PASSWORD_HASHERS = [
    # With SHA-256 first: bcrypt ignores everything after byte 72 (version 5 refuses it).
    "accounts.hashers.QueuedBCryptHasher",
    # For imported accounts, until their first login.
    "accounts.hashers.ImportedBCryptHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "email", "full_name")},
    },
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
    {"NAME": "accounts.passwords.MaximumLengthValidator"},
]
#: Usernames that only the admin and `createsuperuser` can give.
RESERVED_NAMES = read_names(
    "AI_MESSAGE_RESERVED_NAMES", "admin, administrator, moderator, root, support, system"
)

#: Whether staff need a second factor in the admin.
ADMIN_MFA = read_choice("AI_MESSAGE_ADMIN_MFA", "optional", "required")
#: Who may register: anybody, people with an invitation, or nobody.
REGISTRATION = read_choice("AI_MESSAGE_REGISTRATION", "open", "invite", "closed")

ACCESS_TOKEN_LIFETIME = timedelta(minutes=30)
REFRESH_TOKEN_LIFETIME = timedelta(days=7)
SESSION_MAX_AGE = timedelta(days=read_int("AI_MESSAGE_SESSION_MAX_DAYS", 90, low=1, high=3650))
#: How long a used refresh token counts as a retry, not as theft.
REUSE_LEEWAY = timedelta(seconds=read_int("AI_MESSAGE_REUSE_LEEWAY", 10, high=24 * 3600))

#: The longest lifetime of a personal token, in days; 0 for no limit.
TOKEN_MAX_DAYS = read_int("AI_MESSAGE_TOKEN_MAX_DAYS", 0, high=3650)
#: How long an account can be restored after its owner deleted it; 0 deletes at once.
DELETION_DELAY = timedelta(days=read_int("AI_MESSAGE_DELETION_DAYS", 14, high=3650))

# Users of the operator's own backend; docs/own-users.md.
ISSUER = read_text("AI_MESSAGE_ISSUER").strip()
ISSUER_KEY = read_issuer_key("AI_MESSAGE_ISSUER_KEY", BASE_DIR, ours=[SECRET_KEY, *JWT_KEYS])
ISSUER_AUDIENCE = read_text("AI_MESSAGE_ISSUER_AUDIENCE", "aimessage").strip()
#: Whether users without an account get one.
ISSUER_CREATE = read_flag("AI_MESSAGE_ISSUER_CREATE", default=True)
#: Whether users get an existing account if both sides verified the same e-mail address.
ISSUER_LINK = read_flag("AI_MESSAGE_ISSUER_LINK")
if bool(ISSUER) != bool(ISSUER_KEY):
    raise ImproperlyConfigured("AI_MESSAGE_ISSUER and AI_MESSAGE_ISSUER_KEY must be set both, or neither.")
if len(ISSUER) > 255 or "\0" in ISSUER:
    raise ImproperlyConfigured(
        "AI_MESSAGE_ISSUER must be a name of at most 255 characters, as https://app.example.org."
    )

SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_KEYS[0],
    "ISSUER": "aimessage",
    "AUDIENCE": "aimessage",
    "USER_ID_CLAIM": "sub",
    "TOKEN_TYPE_CLAIM": "type",
    "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
}

# --- Throttles and lockout ---------------------------------------------------------------------

#: (requests, seconds) or None; the first three count per client address, the others per user.
THROTTLE_RATES = {
    "login": read_rate("AI_MESSAGE_THROTTLE_LOGIN", "60/minute"),
    "register": read_rate("AI_MESSAGE_THROTTLE_REGISTER", "60/minute"),
    "refresh": read_rate("AI_MESSAGE_THROTTLE_REFRESH", "120/minute"),
    "send": read_rate("AI_MESSAGE_THROTTLE_SEND", "300/minute"),
    "search": read_rate("AI_MESSAGE_THROTTLE_SEARCH", "60/minute"),
    "report": read_rate("AI_MESSAGE_THROTTLE_REPORT", "30/hour"),
    "people": read_rate("AI_MESSAGE_THROTTLE_PEOPLE", "120/minute"),
    "typing": read_rate("AI_MESSAGE_THROTTLE_TYPING", "60/minute"),
    "export": read_rate("AI_MESSAGE_THROTTLE_EXPORT", "3/day"),
    # Questions to the assistant; more have to wait.
    "assistant": read_rate("AI_MESSAGE_THROTTLE_ASSISTANT", "20/minute"),
    # The first two per client address, the third per recipient's address.
    "mail": read_rate("AI_MESSAGE_THROTTLE_MAIL", "20/hour"),
    "confirm": read_rate("AI_MESSAGE_THROTTLE_CONFIRM", "30/minute"),
    "mail_address": read_rate("AI_MESSAGE_MAIL_PER_ADDRESS", "5/hour"),
    # Per sender of SMS or WhatsApp messages; more are stored, but not answered.
    "channel": read_rate("AI_MESSAGE_THROTTLE_CHANNEL", "30/minute"),
    # Codes by SMS.
    "phone": read_rate("AI_MESSAGE_THROTTLE_PHONE", "5/day"),
}

#: Wrong guesses that lock out a name from an address; 0 for no lockout.
LOCKOUT_FAILURES = read_int("AI_MESSAGE_LOCKOUT_FAILURES", 5, high=1000)
#: Both the time in which they are counted and the duration of the lockout.
LOCKOUT_WINDOW = timedelta(minutes=read_int("AI_MESSAGE_LOCKOUT_MINUTES", 15, low=1, high=10**6))

#: Whether to serve /chat.
CHAT = read_flag("AI_MESSAGE_CHAT", default=True)

# --- The API -----------------------------------------------------------------------------------

#: Bytes of a request body; a longer one gets a 413.
MAX_BODY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_SIZE

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["aimessage.api.scopes.ScopePermission"],
    "DEFAULT_PARSER_CLASSES": ["aimessage.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["aimessage.api.renderers.OrjsonRenderer"],
    "DEFAULT_PAGINATION_CLASS": "aimessage.api.lists.pages.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "aimessage.api.schema.ProblemAutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    # There is only one format, so `?format=` is an unknown parameter.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "aimessage.api.handlers.exception_handler",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

#: The first paths under their tag in the description; the others follow by name.
FIRST_PATHS = [
    "/auth/register",
    "/auth/login",
    "/auth/login/second-factor",
    "/auth/refresh",
    "/auth/logout",
    "/auth/logout-all",
    "/auth/me",
]
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": NAME,
    "VERSION": "1.0.0",
    "DESCRIPTION": (
        "Accounts, private messages and reports. Register, log in at `POST /auth/login`, press *Authorize*"
        " and paste the `access_token`. Every error is an `application/problem+json` document (RFC 9457)"
        " with a `code` for programs and a `detail` sentence for people. Lists are bare arrays; their `Link`"
        " header leads to further pages."
    ),
    "CONTACT": {"name": "Whoever runs this server"},
    "LICENSE": {"name": "MIT", "url": "https://opensource.org/license/mit"},
    "SERVERS": [{"url": "/", "description": "This server"}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "persistAuthorization": True,
        "displayRequestDuration": True,
        "deepLinking": True,
        # The validator's badge would send requests to another host.
        "validatorUrl": None,
    },
    "SORT_OPERATIONS": False,
    "ENUM_NAME_OVERRIDES": {
        "KindEnum": "accounts.models.User.Kind",
        "ReportStatus": "reports.models.Report.Status",
        "Scope": "aimessage.api.scopes.CHOICES",
        "ReplyState": "assistant.models.Reply.State",
    },
    "PREPROCESSING_HOOKS": ["aimessage.api.schema.hooks.load_descriptions"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "aimessage.api.schema.hooks.inline_nullable_enums",
        "aimessage.api.schema.hooks.inline_codes",
        "aimessage.api.order.order_operations",
        "aimessage.api.links.add_links",
    ],
    "TAGS": [
        {"name": "accounts", "description": "Register, log in, keep a profile."},
        {"name": "sessions", "description": "One session per device; end any of them."},
        {"name": "tokens", "description": "Personal tokens, for programs."},
        {"name": "people", "description": "Whom one can write to, and whom one has blocked."},
        {"name": "conversations", "description": "Every conversation belongs to two people."},
        {"name": "messages", "description": "Send, read, edit and delete messages."},
        {"name": "assistant", "description": "A program that answers, where there is one."},
        {"name": "events", "description": "Whatever changes for the caller, as it happens."},
        {"name": "channels", "description": "SMS and WhatsApp, where the server has numbers of its own."},
        {"name": "reports", "description": "Complain to the moderators, follow what they do."},
        {"name": "system", "description": "Is it up?"},
    ],
}

# --- Events ------------------------------------------------------------------------------------

#: Days for which events are kept and cursors are valid.
EVENTS_DAYS = read_int("AI_MESSAGE_EVENTS_DAYS", 3, low=1, high=30)
#: The Redis that wakes the streams of all machines for new events; without it they poll the log.
WAKE_URL: str = read_described("AI_MESSAGE_WAKE_URL", "", parse_redis_url)
#: Streams per process; more get a 503.
STREAMS = read_int("AI_MESSAGE_STREAMS", 2000, high=100_000)

# --- Webhooks ----------------------------------------------------------------------------------

#: The secrets of endpoints derive from the first key; all keys sign.
WEBHOOK_KEYS = read_keys("AI_MESSAGE_WEBHOOK_KEYS")
#: Networks that may be called although they are not public.
WEBHOOK_ALLOW = read_networks("AI_MESSAGE_WEBHOOK_ALLOW", "")

# --- The assistant -----------------------------------------------------------------------------

ASSISTANT = read_assistant()

# --- Channels ----------------------------------------------------------------------------------

#: None disables SMS and WhatsApp.
TWILIO: Twilio | None = read_twilio(
    has_public_url=bool(read_text("AI_MESSAGE_PUBLIC_URL").strip()), has_assistant=ASSISTANT.on, debug=DEBUG
)

# --- Metrics and logs --------------------------------------------------------------------------

#: Networks that may read /metrics without a proxy. METRICS_TOKEN is valid from everywhere.
METRICS_FROM = read_networks("AI_MESSAGE_METRICS_FROM", "127.0.0.1, ::1")
METRICS_TOKEN = read_text("AI_MESSAGE_METRICS_TOKEN")
#: Long enough that it cannot be guessed over the network, if it is random.
MIN_TOKEN_LENGTH = 16
if METRICS_TOKEN and len(METRICS_TOKEN) < MIN_TOKEN_LENGTH:
    raise ImproperlyConfigured(
        f"AI_MESSAGE_METRICS_TOKEN must be a random text of at least {MIN_TOKEN_LENGTH} characters."
    )

LOG_FORMAT = read_choice("AI_MESSAGE_LOG_FORMAT", "text", "json")
#: None logs everything to standard error, as containers expect.
LOGS_FOLDER: Path | None = None
if read_text("AI_MESSAGE_LOGS_FOLDER") != "-":
    LOGS_FOLDER = read_path("AI_MESSAGE_LOGS_FOLDER", Path("logs"), BASE_DIR)
    open_log_folder(LOGS_FOLDER)
LOGGING = logging_config(LOGS_FOLDER, LOG_FORMAT)

#: Sentences about variables that nothing reads, for aimessage/checks.py.
UNKNOWN_VARIABLES = find_unknown(_IN_ENV_FILE)
