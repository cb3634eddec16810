from drf_spectacular.utils import extend_schema

from accounts.views.preferences import PreferencesViewSet
from aimessage.api.schema.descriptions import ViewDescription


class PreferencesDescription(ViewDescription):
    target_class = PreferencesViewSet
    operations = {
        "retrieve": extend_schema(
            tags=["accounts"], operation_id="get_preferences", summary="One's preferences"
        ),
        "update": extend_schema(
            tags=["accounts"],
            operation_id="update_preferences",
            summary="Change the preferences that are sent",
        ),
        "partial_update": extend_schema(
            tags=["accounts"], operation_id="patch_preferences", summary="The same as PUT"
        ),
    }
