"""How the console writes times: as the logs and the API do, in UTC (ISO 8601)."""

DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "Y-m-d H:i"
