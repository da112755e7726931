"""The SHA-256 of each migration.

yoyo knows a migration by its file's name only: it would neither see nor apply a change to a file that a database has
already. So a released file is never changed; a new one goes after it, and in here.
"""

FROZEN = {
    "0001.wallet.sql": "638c9ea00ee73ba88bd08145764d42723bbcbfe960d972e839c15b6535ce1ba4",
    "0002.money.sql": "7e388ebcfd19ee6fe24ac23f6cc4d18abbd3dfb8597caa1fbfbe5b3140d7dffd",
    "0003.checks.sql": "5e226565b44df1f5b13825cba3b2194a5c466e3f040300e162a0b68d64980439",
    "0004.kinds.sql": "29374a13c0d2044ef584e27c65248141e452c68dd75eec8a0acfbe961be9318b",
    "0005.kinds_valid.sql": "9769450cd550a98b5efb04bb997a4119b1cdfd84b2722e424f5a7016113a074f",
    "0006.api_keys.sql": "bdc9f437acdb5af33a597345e3a6ce1145e7eea41a36be34c68a8ef25b413c4c",
    "0007.erasure.sql": "532941117a5fa19ac90381bb680606bd29277b75f4070c83aba655de1929ffca",
    "0008.names.sql": "5a04308a5e145cfc4da5378af85b50982f0a6124518be1784705d99c6e07de8a",
    "0009.names_unique.sql": "c0d415d0146f9d49301320875d6d8c9a02a19cfa907f812dc44fec4b57a0951c",
    "0010.schedules.sql": "095316895671ba42b4e0004c32adbda07e613ad5761587a69f4debb8b9cd0514",
    "0011.schedules_valid.sql": "a5c486247a8ea0248639269e7f4e2e495c9ba3de07c44d1ff3d7c96069c5f664",
    "0012.references.sql": "71c28ea94467ac1df9d9aff5a4162500351308ef335fb398519d7ad9834cabc3",
    "0013.references_indexed.sql": "b5c2fcc4727795981e7ed8eb3d52f8894927e3802d44e1d0a2ea34ec947e80f3",
    "0014.limits.sql": "34cc202931819fd8cd80c6e1cca11577be0aa6daad762033673bf081c73c3236",
    "0015.splits.sql": "abacda105aa4775e1b7b6b06b894fbe9b980e64931ace1123c911cefc9b40870",
    "0016.exchanges.sql": "b9566e7fc142d4ca68baa3da2dfe25414735025dc5a5a40983ad3de1aa8be3fa",
    "0017.notes.sql": "13cfa95a8882baf74fc6cf4b4b663ee4f281fe85cf058c93d392850de8432ee9",
    "0018.account_changes.sql": "4c9734e6b2dd3d8ed4abf220e3bb7b8dd4137915804d5b7241c058bc5c03f2b8",
    "0019.books.sql": "55387512507d1753f13b3ce752cd9e774056c4f029da29caea823b90691aa131",
    "0020.partitions_ahead.sql": "51066e0ac6e98175100267556a62c9915fe1d221827af6213987bed79594b72f",
    "0021.partitions.sql": "24000674784d91869d78c51316a3983351bf33d179122098bf1a04c2ba9dc676",
    "0022.value_dates.sql": "b295b7ac71868de0320b958c1589d45d1c4fa8f4a43103d42f864fe17f94d6c1",
    "0025.exchanged.sql": "139a716a11da7ae5bc76cbd4c468e7b41e05afe28afb36c874a7ad2cbc39e27b",
    "0026.former_emails.sql": "e29f79c5592f24c08d66e0e5db46ac204a512d432bcafacf1cc2fb5e8bc9ce98",
}
