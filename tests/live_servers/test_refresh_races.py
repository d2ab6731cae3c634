import pytest

from tests.live_servers.calls import Call, Pair, Person, at_once, me, refresh
from tests.live_servers.conftest import Service

# S9 asks for twenty; between them, both tests of them play these.
ROUNDS = 10
CLIENTS = 200


def rotations(service: Service, person: Person) -> int:
    return service.number(
        "SELECT sum(rotations) FROM sessions_app_session s"
        " JOIN accounts_user u ON u.id = s.user_id WHERE u.email = ?",
        person.email,
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_two_hundred_refreshes_of_one_token_rotate_once_and_all_get_the_successor(
    service: Service, person: Person, device: Pair, processes: int
) -> None:
    token = device.refresh
    for round_number in range(1, ROUNDS + 1):
        body = {"refresh_token": token}
        answers = at_once(
            [
                Call(service.servers[n % processes], "POST", "/auth/refresh", body)
                for n in range(CLIENTS)
            ]
        )
        assert [answer.status for answer in answers] == [200] * CLIENTS
        successors = {answer.json["refresh_token"] for answer in answers}
        assert len(successors) == 1
        assert rotations(service, person) == round_number
        [token] = successors - {token}
    assert all(me(service.b, answer.json["access_token"]) == 200 for answer in answers)
    assert refresh(service.b, token).status == 200
