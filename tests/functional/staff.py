"""A member of staff signs in with a browser: name, password, and a code that an app makes."""

from playwright.sync_api import Page, expect

from scripts.house import House
from scripts.second_factor import second_factor_of


def staff_sign_in(page: Page, house: House, login: tuple[str, str] | None = None) -> None:
    """Sign in as the maintainer that the first start made; set the app up where there is none.

    Or as somebody else, by name and password.
    """
    name, password = login or house.staff_login()
    page.goto("/admin/")
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.get_by_role("button", name="Log in").click()
    app = second_factor_of(house.url, name)
    if "/login/set-up/" in page.url:
        page.fill("#id_code", app.set_up(page.content()))
        page.get_by_role("button", name="Take it into use").click()
        expect(page.locator(".recovery-codes li")).to_have_count(10)
        app.keep(page.content())
        page.locator("#onward").click()
    else:
        page.fill("#id_code", app.code())
        page.get_by_role("button", name="Go on").click()
    expect(page.locator("#user-tools")).to_be_visible()
