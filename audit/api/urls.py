from django.urls import path

from audit.api import views

urlpatterns = [path("admin/events", views.EventLogView.as_view())]
