"""Tenants, memberships, invitations."""

import config.identifiers
import django.db.models.deletion
import django.utils.timezone
import organizations.slugs
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Organization',
            fields=[
                ('id', models.UUIDField(default=config.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=255)),
                ('slug', models.CharField(max_length=255, validators=[organizations.slugs.validate_slug])),
                ('description', models.TextField(blank=True)),
                ('is_active', models.BooleanField(default=True)),
                ('settings', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['-created_at', '-id'], name='tenants_by_age')],
                'constraints': [models.UniqueConstraint(fields=('slug',), name='one_organization_per_slug'), models.CheckConstraint(condition=models.Q(('slug__regex', '\\A[a-z0-9]+(?:-[a-z0-9]+)*\\Z')), name='a_slug_has_its_form'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='an_organization_has_a_name')],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.UUIDField(default=config.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('admin', 'Admin'), ('member', 'Member')], max_length=16)),
                ('is_active', models.BooleanField(default=True)),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='organizations.organization')),
            ],
            options={
                'indexes': [models.Index(fields=['organization', 'joined_at', 'id'], name='members_by_age'), models.Index(condition=models.Q(('is_active', True)), fields=['organization'], name='active_members'), models.Index(condition=models.Q(('role', 'owner')), fields=['organization'], name='owners_of_tenants')],
                'constraints': [models.UniqueConstraint(fields=('organization', 'user'), name='one_membership_per_user'), models.CheckConstraint(condition=models.Q(('role__in', ['owner', 'admin', 'member'])), name='a_membership_has_a_known_role')],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.UUIDField(default=config.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('email', models.EmailField(max_length=254)),
                ('email_key', models.CharField(editable=False, max_length=320)),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('admin', 'Admin'), ('member', 'Member')], max_length=16)),
                ('token_digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('state', models.CharField(choices=[('open', 'Open'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('revoked', 'Revoked')], default='open', editable=False, max_length=16)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(db_index=True, editable=False)),
                ('ended_at', models.DateTimeField(editable=False, null=True)),
                ('inviter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='sent_invitations', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='organizations.organization')),
            ],
            options={
                'indexes': [models.Index(fields=['organization', 'created_at', 'id'], name='invitations_by_age'), models.Index(fields=['email_key'], name='invitations_by_email')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('organization', 'email_key'), name='one_open_invitation_per_email'), models.CheckConstraint(condition=models.Q(('role__in', ['owner', 'admin', 'member'])), name='an_invitation_has_a_known_role'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('state', 'open')), models.Q(('state__in', ['accepted', 'declined', 'revoked']), ('ended_at__isnull', False)), _connector='OR'), name='an_invitation_ends_for_a_reason')],
            },
        ),
    ]
