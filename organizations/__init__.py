"""Tenants: roles, members, invitations."""
