from django.conf import settings
from django.db import migrations, models

from config.postgresql.indexes import AddIndexMeanwhile


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('organizations', '0002_inactive_members'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexMeanwhile(
            model_name='membership',
            index=models.Index(condition=models.Q(('is_active', True)), fields=['organization', 'joined_at', 'id'], include=('user',), name='active_members_by_age'),
        ),
    ]
