use strict;
use warnings;
use AnyEvent;
use AnyEvent::XMPP::IM::Connection;
use AnyEvent::XMPP::Util qw(split_jid bare_jid);

$| = 1;
binmode STDOUT, ':utf8';
binmode STDIN, ':utf8';
sub say_line { print join("\t", @_), "\n" }

my $end = AnyEvent->condvar;
my ($user, $domain, $resource) = split_jid($ENV{PEER_JID});
my $online = 0;
my $connection = AnyEvent::XMPP::IM::Connection->new(
    username => $user, domain => $domain, resource => $resource, password => $ENV{PEER_PASSWORD},
    host => $ENV{PEER_HOST}, port => $ENV{PEER_PORT},
    old_style_ssl => $ENV{PEER_TLS} eq 'direct',
    tls_ctx => { verify => 1, ca_file => $ENV{PEER_CA}, verify_peername => 'none' },
);
my %joining;
my $give_up = sub { say_line('failed', @_); $end->send };
$connection->reg_cb(
    session_ready => sub { $online = 1; say_line('online', $connection->jid) },
    sasl_error => sub { $give_up->($_[1]->condition) },
    iq_auth_error => sub { $give_up->($_[1]->string) },
    disconnect => sub { $give_up->($_[3] // 'disconnected') },
    stream_error => sub { $give_up->($_[1]->string) },
    presence_xml => sub {
        my ($from, $type) = map { $_[1]->attr($_) } qw(from type);
        say_line('presence', $from, $type // 'available');
        say_line('joined', bare_jid($from)) if delete $joining{$from};
    },
    message_xml => sub {
        my ($body) = $_[1]->find_all([qw/client body/]);
        return unless $body;
        my $type = $_[1]->attr('type') // '';
        say_line($type eq 'groupchat' ? $type : 'message', $_[1]->attr('from'), $body->text);
    },
);
my %orders = (
    message => sub { $connection->send_message($_[0], 'chat', undef, body => $_[1]) },
    groupchat => sub { $connection->send_message($_[0], 'groupchat', undef, body => $_[1]) },
    ping => sub {
        my $payload = { defns => 'urn:xmpp:ping', node => { name => 'ping' } };
        $connection->send_iq('get', $payload, sub { say_line($_[1] ? 'failed' : 'pong') }, to => $_[0]);
    },
    roster => sub { say_line('roster', map { $_->jid } $connection->get_roster->get_contacts) },
    join => sub {
        $joining{"$_[0]/$_[1]"} = 1;
        my $wish = {
            defns => 'http://jabber.org/protocol/muc',
            node => { name => 'x', childs => [{ name => 'history', attrs => [maxstanzas => 0] }] },
        };
        $connection->send_presence(undef, $wish, to => "$_[0]/$_[1]");
    },
);
my $input = AnyEvent->io(fh => \*STDIN, poll => 'r', cb => sub {
    my $line = <STDIN>;
    return $end->send unless defined $line;
    chomp $line;
    my ($order, @words) = split /\t/, $line;
    $orders{$order}->(@words);
});
$connection->connect;
$end->recv;
