"""Groups, permissions, tokens, maintenance, secrets in a file and the audit, with cloudify-common 7.0.5."""

import argparse

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import (
    CloudifyClientError, ForbiddenError, MaintenanceModeActiveError, NotModifiedError)

parser = argparse.ArgumentParser()
parser.add_argument('--port', type=int, required=True)
parser.add_argument('--password', required=True)
options = parser.parse_args()


def client(user, password):
    return CloudifyClient(
        host='127.0.0.1', port=options.port, protocol='http', username=user, password=password,
        tenant='default_tenant')


def refused(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError('{0} was not refused'.format(call))


admin = client('admin', options.password)
admin.users.create('jo', 'jo-password-1', 'default')
jo = client('jo', 'jo-password-1')

group = admin.user_groups.create('keepers', 'default', ldap_group_dn='cn=keepers')
assert group.name == 'keepers' and group.ldap_dn == 'cn=keepers' and group.users == 0, group
admin.tenants.add_user_group('keepers', 'default_tenant', 'viewer')
assert admin.user_groups.add_user('jo', 'keepers').users == 1
assert admin.users.get('jo', _get_data=True).group_tenants == {'default_tenant': {'viewer': ['keepers']}}
tenant = admin.tenants.get('default_tenant', _get_data=True)
assert tenant.groups == {'keepers': 'viewer'}, tenant
assert tenant.users['jo'] == {'tenant-role': None, 'roles': ['viewer']}, tenant
assert tenant.group_users == {'keepers': {'role': 'viewer', 'users': ['jo']}}, tenant
assert jo.secrets.list()[0].key == 'lamp_passphrase'
refused(ForbiddenError, jo.secrets.create, 'oil', 'of whales')
admin.tenants.update_user_group('keepers', 'default_tenant', 'user')
jo.secrets.create('oil', 'of whales')
dumped = list(admin.user_groups.dump())
assert dumped == [{'name': 'keepers', 'ldap_dn': 'cn=keepers', 'role': 'default',
                   'tenants': {'default_tenant': 'user'}}], dumped

assert {'role': 'viewer', 'permission': 'secret_list'} in admin.permissions.list(role='viewer').items
admin.permissions.delete('secret_create', 'user')
refused(ForbiddenError, jo.secrets.create, 'oil2', 'of whales')
admin.permissions.add('secret_create', 'user')
jo.secrets.create('oil2', 'of whales')
refused(ForbiddenError, jo.permissions.list)
assert len(list(admin.permissions.dump())) > 300

token = jo.tokens.create(description='mine', expiration='+10h')
assert jo.tokens.get(token.id).value == 'ctok-{0}-********'.format(token.id)
assert [mine.id for mine in jo.tokens.list()] == [token.id]
by_token = CloudifyClient(
    host='127.0.0.1', port=options.port, protocol='http', token=token.value, tenant='default_tenant')
assert by_token.users.get_self().username == 'jo'
jo.tokens.delete(token.id)
assert refused(CloudifyClientError, by_token.users.get_self).status_code == 401

exported = admin.secrets.export(_passphrase='lamp oil and more', _include_metadata=True)
assert {secret['creator'] for secret in exported} == {'admin', 'jo'}, exported
for key in ('oil', 'oil2'):
    jo.secrets.delete(key)
answer = admin.secrets.import_secrets(exported, passphrase='lamp oil and more')
assert answer['colliding_secrets'] == {'default_tenant': ['lamp_passphrase']}, answer
assert answer['secrets_errors'] == {}, answer
back = admin.secrets.get('oil')
assert back.value == 'of whales' and back['created_by'] == 'jo', back
refusals = jo.secrets.import_secrets(exported, passphrase='lamp oil and more')['secrets_errors']
assert all('creator' in refusal and 'timestamp' in refusal for refusal in refusals.values()), refusals

refused(NotModifiedError, admin.maintenance_mode.deactivate)
admin.maintenance_mode.activate()
while admin.maintenance_mode.status().status != 'activated':
    pass
refused(NotModifiedError, admin.maintenance_mode.activate)
refused(MaintenanceModeActiveError, jo.secrets.list)
assert admin.maintenance_mode.deactivate().status == 'deactivated'
assert len(jo.secrets.list()) == 3

lines = admin.auditlog.list(get_all=True)
assert ('user_groups', 'create') in [(line.ref_table, line.operation) for line in lines], lines.items
assert admin.auditlog.delete(before='2001-01-01').deleted == 0
assert admin.auditlog.delete(before='2999-01-01').deleted >= len(lines)

admin.user_groups.remove_user('jo', 'keepers')
admin.tenants.remove_user_group('keepers', 'default_tenant')
refused(ForbiddenError, jo.secrets.list)
admin.user_groups.set_role('keepers', 'default')
admin.user_groups.delete('keepers')
assert len(admin.user_groups.list()) == 0
print('the story held')
