from django.apps import AppConfig


class MailConfig(AppConfig):
    name = "aimessage.mail"
    label = "mail"
    verbose_name = "Mail"
