"""The public pages. No address ever holds a receipt."""

from django.urls import path

from removal.site import acting, asking, following, reading, receipt

app_name = "removal"

urlpatterns = [
    path("", reading.home, name="home"),
    path("request/", asking.request_new, name="request"),
    path("request/code/", receipt.save, name="receipt-save"),
    path("request/kept/", receipt.kept, name="receipt-kept"),
    path("request/reminder/", receipt.remind, name="receipt-remind"),
    path("status/", following.status, name="status"),
    path("status/answer/", acting.answer, name="status-answer"),
    path("status/appeal/", acting.appeal, name="status-appeal"),
    path("status/leave/", following.leave, name="status-leave"),
    path("status/left/", following.left, name="status-left"),
    path("status/messages/", acting.message, name="status-messages"),
    path("status/photo/<int:n>/", following.photo, name="status-photo"),
    path("status/photo/delete/", acting.photo_delete, name="status-photo-delete"),
    path("status/withdraw/", acting.withdraw, name="status-withdraw"),
    path("datasets/", reading.datasets, name="datasets"),
    path("privacy/", reading.privacy, name="privacy"),
]
