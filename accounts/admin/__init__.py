"""Users, roles, sessions, failed logins and invitations, for superusers."""

from accounts.admin.invitations import InvitationAdmin
from accounts.admin.roles import RoleAdmin
from accounts.admin.sessions import FailedLoginAdmin, SessionAdmin
from accounts.admin.users import UserAdmin

__all__ = ["FailedLoginAdmin", "InvitationAdmin", "RoleAdmin", "SessionAdmin", "UserAdmin"]
