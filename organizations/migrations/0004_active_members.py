from django.db import migrations


class Migration(migrations.Migration):
    """What active_members_by_age does as well."""

    dependencies = [
        ('organizations', '0003_active_members_by_age'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='membership',
            name='active_members',
        ),
    ]
