from scripts.forms import forms_read

PAGE = """
<form method="post" action="/go/">
  <input type="hidden" name="token" value="t1">
  <input type="checkbox" name="row" value="7"><input type="checkbox" name="row" value="8" checked>
  <select name="tier"><option value="">choose</option><option value="exact" selected>exact</option>
  </select>
  <textarea name="words">as &amp; is</textarea>
  <button name="do" value="approve">Approve</button><button type="reset" name="no">x</button>
</form>
<input name="outside" value="not of any form">
"""


def test_a_form_is_sent_as_a_browser_would_send_it_untouched() -> None:
    (form,) = forms_read(PAGE)
    assert (form.method, form.action) == ("post", "/go/")
    assert form.filled() == [
        ("token", "t1"),
        ("row", "8"),
        ("tier", "exact"),
        ("words", "as & is"),
    ]
    assert form.values("row") == ["7", "8"]
    assert form.names() == {"token", "row", "tier", "words", "do"}
