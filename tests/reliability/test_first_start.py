"""A process that ends before it has done anything a second time: what it answered is followed by the next one, also by a
service that the folder has not seen before.
"""
import json

import pytest

from platform_client import User, unique, wait_for
from platform_process import micropay

ALL = [each["service"] for each in json.loads(micropay("services", "--json").stdout)]


def answered(platform):
    """Somebody who was told 201, and nothing since."""
    user = User(platform, f"{unique('first')}@example.org")
    user.post("users", {"email": user.email, "password": user.password, "displayName": "First"}, expect=201)
    return user


def welcomes(user):
    return [each for each in user.items("notifications") if each["template"] == "welcome"]


def welcomed_once(user):
    wait_for(lambda: welcomes(user), "the welcome", 20)
    assert len(welcomes(user)) == 1


@pytest.mark.parametrize("attempt", range(3))  # it may be faster than we are
def test_the_first_registration_in_an_empty_folder_is_followed_after_a_kill(fresh_platform, attempt):
    platform = fresh_platform()
    user = answered(platform)
    platform.kill()
    platform.start()
    user.login()
    welcomed_once(user)


@pytest.mark.parametrize("attempt", range(3))
def test_a_service_that_is_new_to_a_folder_misses_nothing_after_a_kill(fresh_platform, attempt):
    platform = fresh_platform(flags=("--services", ",".join(name for name in ALL if name != "notification")))
    before = platform.register("before", prove=False)
    platform.stop()
    platform.flags = ()
    platform.start()
    user = answered(platform)
    platform.kill()
    platform.start()
    user.login(), before.login()
    welcomed_once(user)
    assert not welcomes(before), "what was before its time, it does not know"
