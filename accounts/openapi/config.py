from drf_spectacular.utils import extend_schema

from accounts.serializers.config import ConfigSerializer
from accounts.views.config import ConfigView
from aimessage.api.schema.descriptions import ViewDescription


class ConfigDescription(ViewDescription):
    target_class = ConfigView
    operations = {
        "get": extend_schema(
            tags=["accounts"],
            operation_id="get_config",
            summary="How this server lets people in; public",
            responses=ConfigSerializer,
        ),
    }
