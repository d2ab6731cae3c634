from django.db import models


class Counter(models.Model):
    """How often something was tried in a window that began with the first try.

    Written only by limits/stores.py, in one atomic statement. The key is a digest:
    no address and no account can be read from it.
    """

    key = models.CharField(primary_key=True, max_length=64)
    count = models.PositiveIntegerField()
    expires_at = models.BigIntegerField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(count__gte=0), name="a_count_is_not_negative"
            )
        ]

    def __str__(self) -> str:
        return self.key
