"""The house's own records: the audit log, retention's pulse, tickets that were used."""

from typing import ClassVar

from django.db import models


class AuditEntry(models.Model):
    """One entry of the hash chain; written by `audit.audit_append` alone, never changed."""

    seq = models.PositiveBigIntegerField(primary_key=True)
    day = models.DateField()
    at = models.DateTimeField(null=True, blank=True)
    """Time of a staff act; acts of the subject and the machine carry the day alone."""
    actor = models.CharField(max_length=32)
    act = models.CharField(max_length=32)
    subject = models.BinaryField(max_length=32, blank=True, default=b"")
    detail = models.JSONField(default=dict, blank=True)
    previous = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)

    class Meta:
        """Entries stand in the order of the chain."""

        ordering: ClassVar[list[str]] = ["seq"]
        permissions: ClassVar[tuple[tuple[str, str], ...]] = (
            ("export_auditentry", "Can export and verify the audit log"),
        )
        verbose_name_plural = "audit entries"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["act", "seq"]),
            models.Index(fields=["actor", "seq"]),
            models.Index(fields=["subject", "seq"]),
            models.Index(fields=["day", "seq"]),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.act}"


class AuditTip(models.Model):
    """The chain's head: one row, locked last before commit, so that writers make one chain."""

    seq = models.PositiveBigIntegerField(default=0)
    digest = models.BinaryField(max_length=32, default=bytes(32))

    def __str__(self) -> str:
        return str(self.seq)


class RetentionRun(models.Model):
    """When retention last ran to its end: one row, so that `doctor` can alarm."""

    ran_at = models.DateTimeField()

    class Meta:
        """The pages on health need a right of their own: they show no request."""

        permissions: ClassVar[tuple[tuple[str, str], ...]] = (
            ("see_health", "Can see how the service and its workers are"),
        )

    def __str__(self) -> str:
        return str(self.ran_at)


class SpentTicket(models.Model):
    """A single-use challenge or ticket that was used; kept until it would expire anyway."""

    digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.pk)
