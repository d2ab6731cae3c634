import pytest
from tests.config.console import cookie_header, enter, opened
pytestmark = pytest.mark.django_db

def test_probe(api, root):
    for cookie in ['console="abcdefgh\\000x"', 'console="abcdefgh\\377"', "console=" + "x"*9000, 'csrf="a\\000b"', "console=;;;==;csrf", 'messages="\\000"', 'console="abcdefghabcdefghabcdefghabcdefgh\\000"']:
        for path in ("/admin/", "/admin/login/", "/", "/api/v1/users/me"):
            a = api().get(path, raw=True, headers={"Cookie": cookie})
            print(cookie[:40], path, a.status_code)
    ans = enter(api(), root.email)
    c = cookie_header(dict(ans.cookies))
    for path in ["/admin/?a=%00", "/admin/accounts/user/?q=%00", "/admin/accounts/user/?o=99.x", "/admin/accounts/user/?p=-1","/admin/accounts/user/?p=" + "9"*40, "/admin/accounts/user/?p=abc", "/admin/accounts/user/?all=1", "/admin/accounts/user/?q=" + "a+"*3000, "/admin/accounts/user/?is_active__exact=x","/admin/accounts/user/?is_active__exact=%00", "/admin/accounts/user/?created_at__gte=x", "/admin/accounts/user/%00/change/", "/admin/accounts/user/_00/change/", "/admin/accounts/user/_ED_A0_80/change/", "/admin/accounts/user/abc/change/", "/admin/accounts/user/abc/history/", "/admin/accounts/user/add/?email=%00", "/admin/r/x/y/", "/admin/r/1/x/", "/admin/r/"+"9"*40+"/x/", "/admin/autocomplete/", "/admin/autocomplete/?app_label=a&model_name=b&field_name=c&term=%00", "/admin/jsi18n/", "/admin/nothing/", "/admin/accounts/", "/admin/sessions_app/session/?q=%00", "/admin/sessions_app/session/?q=%ed%a0%80", "/admin/audit/event/?q=%00", "/admin/audit/event/?q=abc", "/admin/audit/event/?q="+"x"*5000, "/admin/audit/event/?outcome=%00", "/admin/audit/event/?outcome__exact=%00", "/admin/audit/event/?_to_field=%00", "/admin/audit/event/?_popup=1", "/admin/audit/event/x/change/", "/admin/logout/", "/admin/password_change/", "/admin/login/?next=https://evil.io"]:
        a = api().get(path, raw=True, headers={"Cookie": c})
        print(path[:60], a.status_code, a.headers.get("Location"))
    cookies, token = opened(api())
    for nxt in ["https://evil.io", "//evil.io", "/\\evil.io", "javascript:alert(1)", "\r\nX: y", "/admin/\0", "http:evil.io", ""]:
        form = {"username": root.email, "password": "correct horse battery staple", "csrfmiddlewaretoken": token, "next": nxt}
        a = api().call("POST", "/admin/login/", raw=True, data=form, headers=cookie_header(cookies))
        print(repr(nxt), a.status_code, a.headers.get("Location"))
    for u, p in [("\0", "x"), ("a"*5000, "x"), ("\ud83d\ude00", "x"*200), (root.email, "x"*100000), ("a@b", ""), ("a\r\nb@x.io", "x")]:
        form = {"username": u.encode('utf-16','surrogatepass').decode('utf-16'), "password": p, "csrfmiddlewaretoken": token}
        a = api().call("POST", "/admin/login/", raw=True, data=form, headers=cookie_header(cookies))
        print(repr(u)[:30], a.status_code)
