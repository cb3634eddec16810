from django.apps import AppConfig


class MovingConfig(AppConfig):
    name = "moving"
