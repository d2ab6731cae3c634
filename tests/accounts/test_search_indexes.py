"""The search for people asks its indexes, where a table is worth it."""

import logging
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client

from accounts import search_indexes
from accounts.models import User
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.plans import ON_POSTGRESQL, plans, postgresql

no_transaction = pytest.mark.django_db(transaction=True)

# Unlike each other, or one search would find them all.
CROWD = """
INSERT INTO accounts_user (id, email, email_key, first_name, last_name, password,
    phone_number, locale, preferences, is_active, is_staff, is_superuser, email_verified,
    session_epoch, created_at)
SELECT gen_random_uuid(), left(md5(n::text), 8) || '@x.org', n::text,
    left(md5('first' || n), 8), '', '', '', '', '{}', true, false, false, true, 0,
    now() - n * interval '1 second'
FROM generate_series(1, 20000) n
"""
# The md5 of 1, as far as the crowd has it.
FIRST_OF_CROWD = "c4ca4238"
EMAIL, FIRST, LAST, END = search_indexes.INDEXES
VALID = """
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indisvalid AND relname = ANY(%s) ORDER BY relname
"""


def standing() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(VALID, [list(search_indexes.INDEXES)])
        return [name for (name,) in cursor.fetchall()]


@pytest.fixture
def crowd(db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(CROWD)
        for name in (EMAIL, FIRST, LAST):
            # As autovacuum does: what has just been written is read one by one.
            cursor.execute("SELECT gin_clean_pending_list(%s::regclass)", [name])
        cursor.execute("ANALYZE accounts_user")
        # A million are read from end to end for no search; these few might be.
        cursor.execute("SET LOCAL enable_seqscan = off")


@postgresql
@pytest.mark.usefixtures("crowd")
def test_a_search_of_the_api_asks_the_indexes(api: SignIn, root: User) -> None:
    client = api(root)
    with plans(" LIKE ") as found:
        [one] = client.get(f"/users?search={FIRST_OF_CROWD}").json()["data"]
    assert one["email"].startswith(FIRST_OF_CROWD)
    assert len(found) == 1
    for plan in found:
        assert all(name in plan for name in (EMAIL, FIRST, LAST)), plan
        assert "Seq Scan" not in plan


@postgresql
@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("text", [f"{FIRST_OF_CROWD}@", f"{FIRST_OF_CROWD}@X.o"])
def test_a_search_for_the_end_before_an_at_asks_its_own_index(
    api: SignIn, root: User, text: str
) -> None:
    with plans(" LIKE ") as found:
        [one] = api(root).get("/users", params={"search": text}).json()["data"]
    assert one["email"].startswith(FIRST_OF_CROWD)
    [plan] = found
    assert all(name in plan for name in (END, FIRST, LAST)), plan
    assert EMAIL not in plan
    assert "Seq Scan" not in plan


ADDRESSES = [
    "ada.lovelace@example.com",
    "lovelace@example.com",
    "ada@example.org",
    "a_a@x.org",
    "a-a@x.org",
    "a%a@x.org",
    '"ada@lovelace"@example.com',
    '"@"@x.org',
]
PARTS = ["@", "ada@", "lovelace@", "lovelace@ex", "e@example.com", "ada@x", "DA@EXAMPLE"]
PARTS += ["_a@", "a%a@", "%@", "a\\@", '"@', '"@"@x', "ada@lovelace", 'ada@lovelace"@e']
PARTS += ["@@", "@x", "@x.org", "x.org", "ße@", "ada"]


@pytest.mark.parametrize("text", PARTS)
def test_every_part_of_an_address_finds_whom_it_is_part_of(
    django_user_model: type[User], text: str
) -> None:
    for address in ADDRESSES:
        UserFactory.create(email=address, first_name="X", last_name="")
    found = User.objects.get_queryset().matching(text)
    same = User.objects.get_queryset().filter(email__icontains=text)
    assert set(found) == set(same)
    meant = {each for each in ADDRESSES if text.lower() in each.lower()}
    assert {user.email for user in found} == meant


@postgresql
@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("text", ["unusual", "unusual wanted"])
def test_a_search_of_the_console_asks_the_indexes(root: User, text: str) -> None:
    console = Client(headers={"host": "testserver"})
    console.force_login(root)
    UserFactory.create(email="wanted@example.com", first_name="Unusual")
    with plans(" LIKE ") as found:
        page = console.get("/admin/accounts/user/", {"q": text})
    assert "wanted@example.com" in page.content.decode()
    assert found
    for plan in found:
        assert all(name in plan for name in (EMAIL, FIRST, LAST)), plan
        assert "Seq Scan" not in plan


@postgresql
@pytest.mark.usefixtures("crowd")
def test_a_word_too_short_for_them_is_found_all_the_same(api: SignIn, root: User) -> None:
    assert api(root).get("/users?search=f%40").json()["pagination"]["total"] > 100


@postgresql
@no_transaction
def test_the_migration_goes_there_and_back() -> None:
    loader = MigrationLoader(connection)
    migration = loader.get_migration("accounts", "0003_search_indexes")
    before = loader.project_state([("accounts", "0002_proofs_and_leaving")])
    with connection.schema_editor(atomic=migration.atomic) as editor:
        migration.unapply(before, editor)
        assert standing() == []
        migration.apply(before, editor)
    assert standing() == sorted(search_indexes.INDEXES)


@pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL has them")
@no_transaction
def test_another_engine_has_none_and_says_so(api: SignIn) -> None:
    search_indexes.drop(connection)
    with pytest.raises(CommandError, match="pg_trgm"):
        call_command("build_search_indexes")


@postgresql
@no_transaction
def test_what_a_broken_build_left_is_built_again() -> None:
    search_indexes.drop(connection)
    UserFactory.create_batch(2, first_name="Same")
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {EMAIL} ON accounts_user (first_name)"
        )
    assert standing() == []
    call_command("build_search_indexes")
    assert standing() == sorted(search_indexes.INDEXES)


@postgresql
@no_transaction
def test_a_build_leaves_the_limits_of_the_connection() -> None:
    search_indexes.build(connection)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("15s",)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("3s",)


@postgresql
@no_transaction
def test_without_the_extension_everything_goes_on_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = "CREATE EXTENSION IF NOT EXISTS nobody_has_this"
    monkeypatch.setattr(search_indexes, "ENABLE", nowhere)
    with caplog.at_level(logging.WARNING, logger="accounts"):
        assert not search_indexes.build(connection)
    assert "search_indexes_left_out" in caplog.text
    assert "nobody_has_this" in caplog.text
