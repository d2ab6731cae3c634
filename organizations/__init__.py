"""Tenants: roles, members, invitations. The room is laid out, what fills it follows."""
