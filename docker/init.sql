-- Run once, by the PostgreSQL image, when its volume is new: the role that Koshel serves as.
-- What it may do is granted by `koshel migrate`; see KOSHEL_SERVICE_ROLE.
\getenv password SERVICE_PASSWORD
CREATE ROLE koshel_service LOGIN PASSWORD :'password';
