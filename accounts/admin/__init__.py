"""Users, roles, sessions and failed logins, for superusers."""

from accounts.admin.roles import RoleAdmin
from accounts.admin.sessions import FailedLoginAdmin, SessionAdmin
from accounts.admin.users import UserAdmin

__all__ = ["FailedLoginAdmin", "RoleAdmin", "SessionAdmin", "UserAdmin"]
